//! Numbers as people read them, in the window and on the command line.

use std::time::Duration;

/// "1:04" for 64.9 s, "1:02:05" beyond an hour.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// "0:11.36" for 11.358 s.
pub fn fine_clock(seconds: f64) -> String {
    let hundredths = (seconds.max(0.0) * 100.0).round() as u64;
    format!("{}.{:02}", clock((hundredths / 100) as f64), hundredths % 100)
}

/// A time left: "18 s", "4 min", "2 h".
pub fn time_left(left: Duration) -> String {
    let seconds = left.as_secs_f64().ceil() as u64;
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5399 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1800) / 3600),
    }
}

/// Decibels or LUFS: "−14" or "−14.3", with a real minus.
pub fn decibels(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let digits = if rounded.fract() == 0.0 {
        format!("{:.0}", rounded.abs())
    } else {
        format!("{:.1}", rounded.abs())
    };
    if rounded < 0.0 {
        format!("−{digits}")
    } else {
        digits
    }
}

/// A size on disk: "310 MB", "4.2 GB".
pub fn bytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes >= 999.5 {
        format!("{:.1} GB", megabytes / 1e3)
    } else {
        format!("{megabytes:.0} MB")
    }
}

/// A count with its noun: "1 track", "96 tracks", "1,184 moments".
pub fn count(number: usize, noun: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{grouped} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_on_a_player() {
        assert_eq!(clock(4.9), "0:04");
        assert_eq!(clock(3725.0), "1:02:05");
        assert_eq!(fine_clock(11.358), "0:11.36");
        assert_eq!(fine_clock(59.999), "1:00.00");
        assert_eq!(clock(-3.0), "0:00");
    }

    #[test]
    fn lengths_and_counts_are_rounded_for_people() {
        assert_eq!(time_left(Duration::from_millis(17_200)), "18 s");
        assert_eq!(time_left(Duration::from_mins(4)), "4 min");
        assert_eq!(time_left(Duration::from_hours(2)), "2 h");
        assert_eq!(count(1, "track"), "1 track");
        assert_eq!(count(1184, "moment"), "1,184 moments");
        assert_eq!(bytes(309_600_000), "310 MB");
        assert_eq!(bytes(4_249_000_000), "4.2 GB");
        assert_eq!(decibels(-14.0), "−14");
        assert_eq!(decibels(-16.04), "−16");
        assert_eq!(decibels(3.25), "3.3");
    }
}
