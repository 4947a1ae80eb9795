//! Reading times in a layout, with Go's messages for what does not fit.

use super::{
    Chunk, MONTHS, OffsetForm, Time, WEEKDAYS, civil, days_from_civil, days_in, next_chunk,
};
use crate::functions::text;

/// Reads a time; without a zone it is UTC.
pub(super) fn read(layout: &[u8], value: &[u8]) -> Result<Time, String> {
    let reader = Reader {
        layout,
        value,
        rest: value,
    };
    reader.read()
}

struct Reader<'a> {
    layout: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// What went wrong at one element.
enum Fault {
    Bad,
    Range(&'static str),
}

#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    meridiem: Option<bool>,
    offset: Option<i32>,
    zone: Option<String>,
    utc: bool,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Result<Time, String> {
        let mut fields = Fields::default();
        let mut layout = self.layout;
        loop {
            let (literal, chunk, tail) = next_chunk(layout);
            let element = &layout[literal.len()..layout.len() - tail.len()];
            layout = tail;
            if !self.skip(literal) {
                return Err(self.cannot(self.rest, literal));
            }
            if matches!(chunk, Chunk::End) {
                if !self.rest.is_empty() {
                    return Err(format!(
                        "parsing time {}: extra text: {}",
                        quoted(self.value),
                        quoted(self.rest)
                    ));
                }
                break;
            }
            let before = self.rest;
            match self.element(chunk, layout, &mut fields) {
                Ok(()) => {}
                Err(Fault::Bad) => return Err(self.cannot(before, element)),
                Err(Fault::Range(what)) => {
                    return Err(format!(
                        "parsing time {}: {what} out of range",
                        quoted(self.value)
                    ));
                }
            }
        }
        self.finish(fields)
    }

    fn cannot(&self, rest: &[u8], element: &[u8]) -> String {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quoted(self.value),
            quoted(self.layout),
            quoted(rest),
            quoted(element)
        )
    }

    /// Skips literal text; spaces in it match any number of spaces.
    fn skip(&mut self, mut literal: &[u8]) -> bool {
        while let Some((&expected, tail)) = literal.split_first() {
            if expected == b' ' {
                if self.rest.first().is_some_and(|byte| *byte != b' ') {
                    return false;
                }
                literal = cut_spaces(literal);
                self.rest = cut_spaces(self.rest);
                continue;
            }
            if self.rest.first() != Some(&expected) {
                return false;
            }
            literal = tail;
            self.rest = &self.rest[1..];
        }
        true
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.rest.get(..count).ok_or(Fault::Bad)?;
        self.rest = &self.rest[count..];
        Ok(taken)
    }

    fn fixed(&mut self, count: usize) -> Result<i64, Fault> {
        number(self.take(count)?)
    }

    /// One or two digits; two are needed when `fixed`.
    fn short(&mut self, fixed: bool, limit: usize) -> Result<i64, Fault> {
        let digits = self
            .rest
            .iter()
            .take(limit)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 || fixed && digits < limit {
            return Err(Fault::Bad);
        }
        self.fixed(digits)
    }

    fn name(&mut self, names: &[&str], length: Option<usize>) -> Result<i64, Fault> {
        for (index, name) in names.iter().enumerate() {
            let name = &name.as_bytes()[..length.unwrap_or(name.len())];
            if self
                .rest
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
            {
                self.rest = &self.rest[name.len()..];
                return Ok(index as i64);
            }
        }
        Err(Fault::Bad)
    }

    fn fraction(&mut self, digits: usize) -> Result<u32, Fault> {
        let text = self.take(1 + digits)?;
        if !matches!(text[0], b'.' | b',') {
            return Err(Fault::Bad);
        }
        if !text[1..].iter().all(u8::is_ascii_digit) {
            return Err(Fault::Bad);
        }
        let shown = &text[1..text.len().min(10)];
        let value = number(shown)?;
        u32::try_from(value * 10_i64.pow(9 - shown.len() as u32))
            .map_err(|_| Fault::Range("fractional second"))
    }

    fn element(
        &mut self,
        chunk: Chunk,
        following: &[u8],
        fields: &mut Fields,
    ) -> Result<(), Fault> {
        let within = |value: i64, range: std::ops::RangeInclusive<i64>, what| {
            if range.contains(&value) {
                Ok(value)
            } else {
                Err(Fault::Range(what))
            }
        };
        match chunk {
            Chunk::End => {}
            Chunk::LongYear => fields.year = self.fixed(4)?,
            Chunk::Year => {
                let year = self.fixed(2)?;
                fields.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Chunk::LongMonth => fields.month = Some(self.name(&MONTHS, None)? + 1),
            Chunk::Month => fields.month = Some(self.name(&MONTHS, Some(3))? + 1),
            Chunk::NumMonth | Chunk::ZeroMonth => {
                fields.month = Some(within(
                    self.short(matches!(chunk, Chunk::ZeroMonth), 2)?,
                    1..=12,
                    "month",
                )?);
            }
            Chunk::LongWeekday => _ = self.name(&WEEKDAYS, None)?,
            Chunk::Weekday => _ = self.name(&WEEKDAYS, Some(3))?,
            Chunk::Day | Chunk::UnderDay | Chunk::ZeroDay => {
                if matches!(chunk, Chunk::UnderDay) && self.rest.first() == Some(&b' ') {
                    self.rest = &self.rest[1..];
                }
                fields.day = Some(self.short(matches!(chunk, Chunk::ZeroDay), 2)?);
            }
            Chunk::UnderYearDay | Chunk::ZeroYearDay => {
                while matches!(chunk, Chunk::UnderYearDay) && self.rest.first() == Some(&b' ') {
                    self.rest = &self.rest[1..];
                }
                fields.year_day = Some(self.short(matches!(chunk, Chunk::ZeroYearDay), 3)?);
            }
            Chunk::Hour => fields.hour = within(self.short(false, 2)?, 0..=23, "hour")?,
            Chunk::Hour12 | Chunk::ZeroHour12 => {
                fields.hour = within(
                    self.short(matches!(chunk, Chunk::ZeroHour12), 2)?,
                    0..=12,
                    "hour",
                )?
            }
            Chunk::Minute | Chunk::ZeroMinute => {
                fields.minute = within(
                    self.short(matches!(chunk, Chunk::ZeroMinute), 2)?,
                    0..=59,
                    "minute",
                )?
            }
            Chunk::Second | Chunk::ZeroSecond => {
                fields.second = within(
                    self.short(matches!(chunk, Chunk::ZeroSecond), 2)?,
                    0..=59,
                    "second",
                )?;
                let digits = self
                    .rest
                    .iter()
                    .skip(1)
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                let layout_has_fraction = matches!(next_chunk(following).1, Chunk::Fraction { .. });
                if matches!(self.rest.first(), Some(b'.' | b','))
                    && digits > 0
                    && !layout_has_fraction
                {
                    fields.nanoseconds = self.fraction(digits)?;
                }
            }
            Chunk::UpperMeridiem | Chunk::LowerMeridiem => {
                let upper = matches!(chunk, Chunk::UpperMeridiem);
                fields.meridiem = match (self.take(2)?, upper) {
                    (b"PM", true) | (b"pm", false) => Some(true),
                    (b"AM", true) | (b"am", false) => Some(false),
                    _ => return Err(Fault::Bad),
                };
            }
            Chunk::Offset(form) => self.offset(form, fields)?,
            Chunk::ZoneName => self.zone_name(fields)?,
            Chunk::Fraction {
                digits,
                trim: false,
                ..
            } => fields.nanoseconds = self.fraction(digits)?,
            Chunk::Fraction { trim: true, .. } => {
                let digits = self
                    .rest
                    .iter()
                    .skip(1)
                    .take_while(|byte| byte.is_ascii_digit())
                    .count();
                if matches!(self.rest.first(), Some(b'.' | b',')) && digits > 0 {
                    fields.nanoseconds = self.fraction(digits)?;
                }
            }
        }
        Ok(())
    }

    fn offset(&mut self, form: OffsetForm, fields: &mut Fields) -> Result<(), Fault> {
        if form.z && self.rest.first() == Some(&b'Z') {
            self.rest = &self.rest[1..];
            fields.utc = true;
            return Ok(());
        }
        let negative = match self.take(1)? {
            b"+" => false,
            b"-" => true,
            _ => return Err(Fault::Bad),
        };
        let mut parts = [self.fixed(2)?, 0, 0];
        for (index, wanted) in [(1, form.minutes), (2, form.seconds)] {
            if wanted {
                if form.colon && self.take(1)? != b":" {
                    return Err(Fault::Bad);
                }
                parts[index] = self.fixed(2)?;
            }
        }
        for (value, limit, what) in [
            (parts[0], 24, "time zone offset hour"),
            (parts[1], 60, "time zone offset minute"),
            (parts[2], 60, "time zone offset second"),
        ] {
            if value > limit {
                return Err(Fault::Range(what));
            }
        }
        let offset = ((parts[0] * 60 + parts[1]) * 60 + parts[2]) as i32;
        fields.offset = Some(if negative { -offset } else { offset });
        Ok(())
    }

    fn zone_name(&mut self, fields: &mut Fields) -> Result<(), Fault> {
        if self.rest.starts_with(b"UTC") {
            self.rest = &self.rest[3..];
            fields.utc = true;
            return Ok(());
        }
        let letters = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase())
            .count();
        if !(3..=5).contains(&letters) {
            return Err(Fault::Bad);
        }
        fields.zone = Some(String::from_utf8_lossy(self.take(letters)?).into_owned());
        Ok(())
    }

    fn finish(&self, mut fields: Fields) -> Result<Time, String> {
        let range = |what: &str| Err(format!("parsing time {}: {what}", quoted(self.value)));
        match fields.meridiem {
            Some(true) if fields.hour < 12 => fields.hour += 12,
            Some(false) if fields.hour == 12 => fields.hour = 0,
            _ => {}
        }
        if let Some(year_day) = fields.year_day {
            let length =
                days_from_civil(fields.year + 1, 1, 1) - days_from_civil(fields.year, 1, 1);
            if !(1..=length).contains(&year_day) {
                return range("day-of-year out of range");
            }
            let (_, month, day) = civil(days_from_civil(fields.year, 1, 1) + year_day - 1);
            if fields.month.is_some_and(|given| given != month) {
                return range("day-of-year does not match month");
            }
            if fields.day.is_some_and(|given| given != day) {
                return range("day-of-year does not match day");
            }
            (fields.month, fields.day) = (Some(month), Some(day));
        }
        let (month, day) = (fields.month.unwrap_or(1), fields.day.unwrap_or(1));
        if !(1..=days_in(fields.year, month)).contains(&day) {
            return range("day out of range");
        }
        let local = days_from_civil(fields.year, month, day) * 86_400
            + fields.hour * 3600
            + fields.minute * 60
            + fields.second;
        let (offset, zone) = match (fields.utc, fields.offset, fields.zone) {
            (true, _, _) | (false, None, None) => (0, "UTC".to_owned()),
            (false, Some(0), None) => (0, "UTC".to_owned()),
            (false, offset, zone) => (offset.unwrap_or(0), zone.unwrap_or_default()),
        };
        Ok(Time {
            seconds: local - i64::from(offset),
            nanoseconds: fields.nanoseconds,
            offset,
            zone,
        })
    }
}

fn cut_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte == b' ').count()..]
}

fn number(digits: &[u8]) -> Result<i64, Fault> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Bad);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Fault::Bad)
}

fn quoted(value: &[u8]) -> String {
    let mut out = String::from("\"");
    for rune in text::runes(value) {
        match rune {
            '"' | '\\' => out.extend(['\\', rune]),
            ' '..='~' => out.push(rune),
            other => {
                let mut buffer = [0; 4];
                other
                    .encode_utf8(&mut buffer)
                    .bytes()
                    .for_each(|byte| out += &format!("\\x{byte:02x}"));
            }
        }
    }
    out.push('"');
    out
}
