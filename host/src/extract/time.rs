//! Wall time as text, always UTC: no time zone file is ever read.

use std::io::Write;

pub(super) const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// `HH:MM:SS.nnnnnnnnn`.
pub fn time_of_day(ns: u64) -> String {
    text_of(ns, write_time_of_day)
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`.
pub fn iso8601(ns: u64) -> String {
    text_of(ns, write_iso8601)
}

fn text_of(ns: u64, write: fn(u64, &mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(ns, &mut out);
    String::from_utf8(out).expect("digits and punctuation")
}

/// Appends `HH:MM:SS.nnnnnnnnn`.
pub(super) fn write_time_of_day(ns: u64, out: &mut Vec<u8>) {
    write_time_of_day_s(ns, out);
    // Writing to a vector cannot fail.
    let _ = write!(out, ".{:09}", ns % SECOND);
}

/// Appends `HH:MM:SS`.
pub(super) fn write_time_of_day_s(ns: u64, out: &mut Vec<u8>) {
    let seconds = ns / SECOND % DAY;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{hours:02}:{minutes:02}:{seconds:02}");
}

/// Appends `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`.
pub(super) fn write_iso8601(ns: u64, out: &mut Vec<u8>) {
    write_date(ns, out);
    out.push(b'T');
    write_time_of_day(ns, out);
    out.extend_from_slice(b"+0000");
}

/// Appends `YYYY-MM-DD HH:MM:SS.nnnnnnnnn`.
pub(super) fn write_date_and_time(ns: u64, out: &mut Vec<u8>) {
    write_date(ns, out);
    out.push(b' ');
    write_time_of_day(ns, out);
}

/// Appends `YYYY-MM-DD HH:MM:SS`.
pub(super) fn write_date_and_time_s(ns: u64, out: &mut Vec<u8>) {
    write_date(ns, out);
    out.push(b' ');
    write_time_of_day_s(ns, out);
}

fn write_date(ns: u64, out: &mut Vec<u8>) {
    // Years counted from March of year 0, in eras of 400 years: leap days fall at the end.
    let days = ns / SECOND / DAY + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let _ = write!(out, "{year:04}-{month:02}-{day_of_month:02}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(ns: u64) -> String {
        let mut out = Vec::new();
        write_iso8601(ns, &mut out);
        String::from_utf8(out).expect("a date is text")
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000000000+0000");
        assert_eq!(
            date(951_782_399 * SECOND),
            "2000-02-28T23:59:59.000000000+0000"
        );
        assert_eq!(
            date(951_782_400 * SECOND),
            "2000-02-29T00:00:00.000000000+0000"
        );
        assert_eq!(
            date(951_868_800 * SECOND),
            "2000-03-01T00:00:00.000000000+0000"
        );
        assert_eq!(
            date(1_745_849_510_147_483_648),
            "2025-04-28T14:11:50.147483648+0000"
        );
        assert_eq!(date(u64::MAX), "2554-07-21T23:34:33.709551615+0000");
    }
}
