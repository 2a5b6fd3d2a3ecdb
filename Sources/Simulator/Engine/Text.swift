import Core

/// `text` in at least `width` columns, to the right.
func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}

/// `value` with `digits` decimal places, rounded down.
func decimal(_ value: Double, digits: Int) -> String {
    var scale: Int64 = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64(value * Double(scale))
    guard digits > 0 else { return String(scaled) }
    let fraction = String(abs(scaled % scale))
    let sign = scaled < 0 && scaled / scale == 0 ? "-" : ""
    return sign + String(scaled / scale) + "." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
}

func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}

extension Duration {
    /// Seconds as a number for people and rates.
    var seconds: Double { Double(nanoseconds) / 1e9 }

    /// `1.250s`, `20ms`, `35us`: the largest unit in which it is a short number.
    var brief: String {
        let ns = nanoseconds
        if ns % 1_000_000_000 == 0 { return "\(ns / 1_000_000_000)s" }
        if ns >= 1_000_000_000 { return decimal(Double(ns) / 1e9, digits: 3) + "s" }
        if ns % 1_000_000 == 0 { return "\(ns / 1_000_000)ms" }
        if ns >= 1_000_000 { return decimal(Double(ns) / 1e6, digits: 3) + "ms" }
        return ns % 1000 == 0 ? "\(ns / 1000)us" : "\(ns)ns"
    }

    /// The length multiplied, for numbers drawn as fractions.
    func scaled(by factor: Double) -> Duration { .nanoseconds(Int64(Double(nanoseconds) * factor)) }
}

/// A probability for people: at most four decimal places, no trailing zeros.
func probability(_ p: Double) -> String {
    var text = decimal(p + 0.00005, digits: 4)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
}
