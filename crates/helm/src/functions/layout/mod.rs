//! Go's time layouts (`2006-01-02T15:04:05Z07:00`): printing and reading times.

mod read;

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
        read::read(layout, value)
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

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_again(seconds in -62_135_596_800_i64..253_402_300_800, nanoseconds in 0_u32..1_000_000_000) {
            let time = Time::utc(seconds, nanoseconds);
            let layout = b"2006-01-02T15:04:05.000000000Z07:00";
            assert_eq!(Time::parse(layout, &time.format(layout)), Ok(time));
        }

        #[test]
        fn nothing_panics(layout in ".{0,24}", value in ".{0,24}", seconds in proptest::num::i64::ANY) {
            let _ = Time::parse(layout.as_bytes(), value.as_bytes());
            let _ = Time::utc(seconds, 0).format(layout.as_bytes());
        }
    }
}
