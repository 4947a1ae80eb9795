//! Go's time layouts (`2006-01-02T15:04:05Z07:00`): printing and reading times.

use super::text;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment and the zone to show it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) seconds: i64,
    /// Nanoseconds within the second.
    pub(crate) nanoseconds: u32,
    /// Seconds east of UTC.
    pub(crate) offset: i32,
    /// Name of the zone; empty for a bare offset.
    pub(crate) zone: String,
}

impl Time {
    /// A moment in UTC.
    pub(crate) fn utc(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds,
            nanoseconds,
            offset: 0,
            zone: "UTC".to_owned(),
        }
    }

    /// Go's zero time, 1 January of year 1.
    pub(crate) fn zero() -> Self {
        Self::utc(-62_135_596_800, 0)
    }

    /// As `Time.String` without the monotonic clock's reading.
    pub(crate) fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.format(b"2006-01-02 15:04:05.999999999 -0700 MST"))
            .into_owned()
    }

    /// Prints the time in a layout.
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let local = self.seconds.saturating_add(i64::from(self.offset));
        let days = local.div_euclid(86_400);
        let (year, month, day) = civil(days);
        let clock = local.rem_euclid(86_400);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        let weekday = WEEKDAYS[(days + 4).rem_euclid(7) as usize];
        let month_name = MONTHS[(month - 1) as usize];
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let mut out = Vec::with_capacity(layout.len() + 8);
        let mut rest = layout;
        while !rest.is_empty() {
            let (literal, chunk, tail) = next_chunk(rest);
            out.extend_from_slice(literal);
            rest = tail;
            let text = match chunk {
                Chunk::End => break,
                Chunk::LongYear => padded(year, 4),
                Chunk::Year => padded(year.abs() % 100, 2),
                Chunk::LongMonth => month_name.to_owned(),
                Chunk::Month => month_name[..3].to_owned(),
                Chunk::NumMonth => month.to_string(),
                Chunk::ZeroMonth => padded(month, 2),
                Chunk::LongWeekday => weekday.to_owned(),
                Chunk::Weekday => weekday[..3].to_owned(),
                Chunk::Day => day.to_string(),
                Chunk::UnderDay => format!("{day:2}"),
                Chunk::ZeroDay => padded(day, 2),
                Chunk::UnderYearDay => format!("{:3}", day_of_year(year, month, day)),
                Chunk::ZeroYearDay => padded(day_of_year(year, month, day), 3),
                Chunk::Hour => padded(hour, 2),
                Chunk::Hour12 => hour12.to_string(),
                Chunk::ZeroHour12 => padded(hour12, 2),
                Chunk::Minute => minute.to_string(),
                Chunk::ZeroMinute => padded(minute, 2),
                Chunk::Second => second.to_string(),
                Chunk::ZeroSecond => padded(second, 2),
                Chunk::UpperMeridiem => if hour >= 12 { "PM" } else { "AM" }.to_owned(),
                Chunk::LowerMeridiem => if hour >= 12 { "pm" } else { "am" }.to_owned(),
                Chunk::ZoneName if self.zone.is_empty() => offset_text(
                    self.offset,
                    OffsetForm {
                        z: false,
                        colon: false,
                        minutes: true,
                        seconds: false,
                    },
                ),
                Chunk::ZoneName => self.zone.clone(),
                Chunk::Offset(form) => offset_text(self.offset, form),
                Chunk::Fraction {
                    separator,
                    digits,
                    trim,
                } => {
                    let all = format!("{:09}", self.nanoseconds);
                    let mut shown = all[..digits.min(9)].to_owned();
                    if trim {
                        shown.truncate(shown.trim_end_matches('0').len());
                    }
                    if shown.is_empty() {
                        String::new()
                    } else {
                        format!("{separator}{shown}")
                    }
                }
            };
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    /// Reads a time in a layout; without a zone it is UTC.
    ///
    /// # Errors
    /// Go's message, naming what could not be read.
    pub(crate) fn parse(layout: &[u8], value: &[u8]) -> Result<Self, String> {
        Reader {
            layout,
            value,
            rest: value,
        }
        .read()
    }
}

#[derive(Clone, Copy)]
struct OffsetForm {
    z: bool,
    colon: bool,
    minutes: bool,
    seconds: bool,
}

#[derive(Clone, Copy)]
enum Chunk {
    End,
    LongYear,
    Year,
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    UpperMeridiem,
    LowerMeridiem,
    ZoneName,
    Offset(OffsetForm),
    Fraction {
        separator: char,
        digits: usize,
        trim: bool,
    },
}

/// The literal text before the next element, the element, and what follows.
fn next_chunk(layout: &[u8]) -> (&[u8], Chunk, &[u8]) {
    for at in 0..layout.len() {
        if let Some((chunk, length, literal)) = chunk_at(&layout[at..]) {
            return (&layout[..at + literal], chunk, &layout[at + length..]);
        }
    }
    (layout, Chunk::End, &[])
}

/// The element at the start of `text`, its length, and how much of that is literal text.
fn chunk_at(text: &[u8]) -> Option<(Chunk, usize, usize)> {
    const FIXED: [(&str, Chunk); 27] = [
        ("January", Chunk::LongMonth),
        ("Monday", Chunk::LongWeekday),
        ("MST", Chunk::ZoneName),
        ("002", Chunk::ZeroYearDay),
        ("01", Chunk::ZeroMonth),
        ("02", Chunk::ZeroDay),
        ("03", Chunk::ZeroHour12),
        ("04", Chunk::ZeroMinute),
        ("05", Chunk::ZeroSecond),
        ("06", Chunk::Year),
        ("15", Chunk::Hour),
        ("1", Chunk::NumMonth),
        ("2006", Chunk::LongYear),
        ("2", Chunk::Day),
        ("__2", Chunk::UnderYearDay),
        ("3", Chunk::Hour12),
        ("4", Chunk::Minute),
        ("5", Chunk::Second),
        ("PM", Chunk::UpperMeridiem),
        ("pm", Chunk::LowerMeridiem),
        (
            "-070000",
            Chunk::Offset(OffsetForm {
                z: false,
                colon: false,
                minutes: true,
                seconds: true,
            }),
        ),
        (
            "-07:00:00",
            Chunk::Offset(OffsetForm {
                z: false,
                colon: true,
                minutes: true,
                seconds: true,
            }),
        ),
        (
            "-0700",
            Chunk::Offset(OffsetForm {
                z: false,
                colon: false,
                minutes: true,
                seconds: false,
            }),
        ),
        (
            "-07:00",
            Chunk::Offset(OffsetForm {
                z: false,
                colon: true,
                minutes: true,
                seconds: false,
            }),
        ),
        (
            "-07",
            Chunk::Offset(OffsetForm {
                z: false,
                colon: false,
                minutes: false,
                seconds: false,
            }),
        ),
        ("_2006", Chunk::LongYear),
        ("_2", Chunk::UnderDay),
    ];
    if text.first() == Some(&b'Z') {
        // The `Z` forms are those with a minus, but print Z for UTC.
        let minus = [b"-", &text[1..]].concat();
        return match chunk_at(&minus) {
            Some((Chunk::Offset(form), length, literal)) => Some((
                Chunk::Offset(OffsetForm { z: true, ..form }),
                length,
                literal,
            )),
            _ => None,
        };
    }
    let lower_follows = |length: usize| text.get(length).is_some_and(u8::is_ascii_lowercase);
    for (name, chunk) in FIXED {
        if text.starts_with(name.as_bytes()) {
            let literal = usize::from(name == "_2006");
            return Some((chunk, name.len(), literal));
        }
    }
    if text.starts_with(b"Jan") && !lower_follows(3) {
        return Some((Chunk::Month, 3, 0));
    }
    if text.starts_with(b"Mon") && !lower_follows(3) {
        return Some((Chunk::Weekday, 3, 0));
    }
    if let [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] = text {
        let digits = text[1..].iter().take_while(|byte| *byte == digit).count();
        if !text.get(1 + digits).is_some_and(u8::is_ascii_digit) {
            return Some((
                Chunk::Fraction {
                    separator: char::from(*separator),
                    digits,
                    trim: *digit == b'9',
                },
                1 + digits,
                0,
            ));
        }
    }
    None
}

fn padded(value: i64, width: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", value.unsigned_abs())
}

fn offset_text(offset: i32, form: OffsetForm) -> String {
    if form.z && offset == 0 {
        return "Z".to_owned();
    }
    let minutes = offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let colon = if form.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", minutes.abs() / 60);
    if form.minutes {
        text += &format!("{colon}{:02}", minutes.abs() % 60);
    }
    if form.seconds {
        text += &format!("{colon}{:02}", offset.abs() % 60);
    }
    text
}

/// Year, month and day of a day number; days since 1970-01-01 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn day_of_year(year: i64, month: i64, day: i64) -> i64 {
    days_from_civil(year, month, day) - days_from_civil(year, 1, 1) + 1
}

fn days_in(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days_from_civil(next_year, next, 1) - days_from_civil(year, month, 1)
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
        let shown = &text[1..text.len().min(10)];
        let value = number(&text[1..])
            .or_else(|_| number(shown))
            .map_err(|_| Fault::Bad)?;
        let value = if text.len() > 10 {
            number(shown)?
        } else {
            value
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(time: &Time, layout: &str) -> String {
        String::from_utf8(time.format(layout.as_bytes())).unwrap()
    }

    #[test]
    fn prints_layouts() {
        let time = Time::utc(1_700_000_001, 123_000_000);
        for (layout, expected) in [
            ("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:21Z"),
            ("Mon Jan _2 15:04:05 2006", "Tue Nov 14 22:13:21 2023"),
            (
                "Monday, 02-Jan-06 3:04PM MST",
                "Tuesday, 14-Nov-23 10:13PM UTC",
            ),
            ("20060102150405.000", "20231114221321.123"),
            ("15:04:05.999999", "22:13:21.123"),
            ("__2 002", "318 318"),
            ("January -0700 -07:00 Z0700", "November +0000 +00:00 Z"),
            ("Month 1", "Month 11"),
            ("_2006", "_2023"),
        ] {
            assert_eq!(printed(&time, layout), expected, "{layout}");
        }
        assert_eq!(Time::zero().to_text(), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn reads_layouts() {
        for (layout, value, expected) in [
            ("2006-01-02", "2017-12-31", "2017-12-31 00:00:00 +0000 UTC"),
            (
                "2006-01-02T15:04:05Z07:00",
                "2024-02-29T12:00:00+02:00",
                "2024-02-29 12:00:00 +0200 +0200",
            ),
            (
                "Jan _2 2006 3:04PM",
                "Mar  4 2021 1:05PM",
                "2021-03-04 13:05:00 +0000 UTC",
            ),
            ("15:04:05", "01:02:03.5", "0000-01-01 01:02:03.5 +0000 UTC"),
            ("2006 002", "2024 060", "2024-02-29 00:00:00 +0000 UTC"),
        ] {
            assert_eq!(
                Time::parse(layout.as_bytes(), value.as_bytes())
                    .unwrap()
                    .to_text(),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn refuses_with_the_words_of_go() {
        for (layout, value, message) in [
            (
                "2006-01-02",
                "nope",
                r#"parsing time "nope" as "2006-01-02": cannot parse "nope" as "2006""#,
            ),
            (
                "2006-01-02",
                "2017-13-01",
                r#"parsing time "2017-13-01": month out of range"#,
            ),
            (
                "2006-01-02",
                "2017-02-30",
                r#"parsing time "2017-02-30": day out of range"#,
            ),
            (
                "2006-01-02",
                "2017-02-03x",
                r#"parsing time "2017-02-03x": extra text: "x""#,
            ),
            (
                "2006-01-02",
                "2017/02",
                r#"parsing time "2017/02" as "2006-01-02": cannot parse "/02" as "-""#,
            ),
        ] {
            assert_eq!(
                Time::parse(layout.as_bytes(), value.as_bytes()).unwrap_err(),
                message
            );
        }
    }
}
