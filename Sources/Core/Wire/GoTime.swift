/// A point in wall-clock time, as log commands, ACL tokens and answers carry it. Core never asks a clock for one.
public struct GoTime: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var unixSeconds: Int64
    /// In 0..<1,000,000,000.
    public var nanoseconds: Int32
    /// East of Greenwich; nil is UTC, which differs from 0 on the wire and in text only.
    public var offsetMinutes: Int16?

    public init(unixSeconds: Int64, nanoseconds: Int32 = 0, offsetMinutes: Int16? = nil) {
        self.unixSeconds = unixSeconds
        self.nanoseconds = min(max(nanoseconds, 0), 999_999_999)
        self.offsetMinutes = offsetMinutes
    }

    /// Nanoseconds since 1970, as drivers count them.
    public init(unixNanoseconds: Int64) {
        let nanoseconds = (unixNanoseconds % 1_000_000_000 + 1_000_000_000) % 1_000_000_000
        self.init(unixSeconds: (unixNanoseconds - nanoseconds) / 1_000_000_000, nanoseconds: Int32(nanoseconds))
    }

    /// The zero time of Go, 0001-01-01T00:00:00Z: "never".
    public static let zero = GoTime(unixSeconds: -62_135_596_800)

    /// In UTC, half a second up.
    public var roundedToSeconds: GoTime { GoTime(unixSeconds: nanoseconds >= 500_000_000 ? unixSeconds &+ 1 : unixSeconds) }

    public static func < (a: GoTime, b: GoTime) -> Bool { (a.unixSeconds, a.nanoseconds) < (b.unixSeconds, b.nanoseconds) }

    /// The 15 bytes of Go's `MarshalBinary` (rpc-raft-wire §2.3).
    public init?(binary bytes: ArraySlice<UInt8>) {
        guard bytes.count == 15, bytes.first == 1 else { return nil }
        func number(_ range: Range<Int>) -> UInt64 {
            bytes[(bytes.startIndex + range.lowerBound)..<(bytes.startIndex + range.upperBound)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        let nanoseconds = number(9..<13), offset = number(13..<15)
        guard nanoseconds < 1_000_000_000 else { return nil }
        unixSeconds = Int64(bitPattern: number(1..<9)) &- 62_135_596_800
        self.nanoseconds = Int32(nanoseconds)
        offsetMinutes = offset == 0xFFFF ? nil : Int16(bitPattern: UInt16(offset))
    }

    func appendBinary(to out: inout [UInt8]) {
        out.append(1)
        out.append(bigEndian: UInt64(bitPattern: unixSeconds &+ 62_135_596_800))
        out.append(bigEndian: UInt32(bitPattern: nanoseconds))
        out.append(bigEndian: offsetMinutes.map { UInt16(bitPattern: $0) } ?? 0xFFFF)
    }
}

/// A date of the proleptic Gregorian calendar with the time of day.
struct CivilTime {
    var year: Int64, month: Int, day: Int, hour: Int, minute: Int, second: Int
    /// 0 is Sunday.
    var weekday: Int

    static let dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    static let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Howard Hinnant's `civil_from_days`: years start in March, so that leap days come last.
    init(unixSeconds: Int64) {
        let seconds = ((unixSeconds % 86_400) + 86_400) % 86_400
        let days = unixSeconds / 86_400 - (unixSeconds % 86_400 < 0 ? 1 : 0)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = Int(seconds / 3_600)
        minute = Int(seconds / 60 % 60)
        second = Int(seconds % 60)
        weekday = Int(((days + 4) % 7 + 7) % 7)
    }

    /// Four digits: of years 0 to 9999.
    fileprivate func appendYear(to out: inout [UInt8]) {
        out.append(twoDigits: Int(year / 100))
        out.append(twoDigits: Int(year % 100))
    }

    /// `05:02:16`
    fileprivate func appendTime(to out: inout [UInt8]) {
        out.append(twoDigits: hour)
        out.append(UInt8(ascii: ":"))
        out.append(twoDigits: minute)
        out.append(UInt8(ascii: ":"))
        out.append(twoDigits: second)
    }
}

extension GoTime {
    /// RFC 3339 with as many digits of a second as it takes: `2026-11-21T05:02:16.5Z`.
    public var rfc3339: String {
        var out: [UInt8] = []
        appendRFC3339(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    func appendRFC3339(to out: inout [UInt8]) {
        let offset = Int64(offsetMinutes ?? 0)
        let civil = CivilTime(unixSeconds: min(max(unixSeconds, -62_167_219_200), 253_402_300_799) + offset * 60)
        civil.appendYear(to: &out)
        out.append(UInt8(ascii: "-"))
        out.append(twoDigits: civil.month)
        out.append(UInt8(ascii: "-"))
        out.append(twoDigits: civil.day)
        out.append(UInt8(ascii: "T"))
        civil.appendTime(to: &out)
        if nanoseconds > 0 {
            out.append(UInt8(ascii: "."))
            var rest = nanoseconds, place: Int32 = 100_000_000
            while rest > 0 {
                out.append(UInt8(truncatingIfNeeded: 0x30 + rest / place))
                rest %= place
                place /= 10
            }
        }
        if offset == 0 {
            out.append(UInt8(ascii: "Z"))
        } else {
            out.append(UInt8(ascii: offset < 0 ? "-" : "+"))
            out.append(twoDigits: Int(offset.magnitude / 60))
            out.append(UInt8(ascii: ":"))
            out.append(twoDigits: Int(offset.magnitude % 60))
        }
    }

    /// `Sat, 21 Nov 2026 05:02:16 GMT`: the value of an HTTP `Date` header.
    public var httpDate: String {
        let civil = CivilTime(unixSeconds: min(max(unixSeconds, -62_167_219_200), 253_402_300_799))
        var out: [UInt8] = []
        out.append(text: CivilTime.dayNames[civil.weekday])
        out.append(text: ", ")
        out.append(twoDigits: civil.day)
        out.append(UInt8(ascii: " "))
        out.append(text: CivilTime.monthNames[civil.month - 1])
        out.append(UInt8(ascii: " "))
        civil.appendYear(to: &out)
        out.append(UInt8(ascii: " "))
        civil.appendTime(to: &out)
        out.append(text: " GMT")
        return String(decoding: out, as: UTF8.self)
    }
}
