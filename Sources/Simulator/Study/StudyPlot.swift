import Core

/// Draws what a study came to as a picture in SVG: false positives over the number of slow members, one line per detector, on a
/// logarithmic scale.
struct StudyPlot {
    private static let width = 420.0
    private static let height = 300.0
    private static let left = 70.0
    private static let top = 56.0
    private static let colours = ["#444444", "#1f77b4", "#2ca02c", "#ff7f0e", "#d62728"]

    private var parts: [String] = []

    static func svg(_ outcomes: [Study.Outcome], members: Int) -> String {
        var plot = StudyPlot()
        plot.draw(outcomes, members)
        let size = "width=\"\(number(Self.totalWidth))\" height=\"\(number(Self.totalHeight))\""
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) font-family=\"sans-serif\" font-size=\"12\">\n"
            + "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" + plot.parts.joined(separator: "\n") + "\n</svg>\n"
    }

    private static var totalWidth: Double { 2 * (left + width) + 40 }
    private static var totalHeight: Double { top + height + 100 }
    private static func number(_ value: Double) -> String { decimal(value, digits: 1) }

    private mutating func draw(_ outcomes: [Study.Outcome], _ members: Int) {
        text(Self.left, 22, "False positives with slow members, \(members) members", size: 15)
        panel(outcomes, x: Self.left, "at all members") { $0.falsePositives }
        panel(outcomes, x: 2 * Self.left + Self.width + 20, "at healthy members") { $0.atHealthy }
        for (place, outcome) in outcomes.enumerated() {
            let x = Self.left + Double(place) * 150
            let y = Self.top + Self.height + 70
            line(x, y, x + 24, y, Self.colours[place], width: 2.5)
            text(x + 30, y + 4, outcome.setup.name)
        }
    }

    private mutating func panel(
        _ outcomes: [Study.Outcome], x left: Double, _ title: String,
        _ value: ((concurrent: Int, falsePositives: Int, atHealthy: Int)) -> Int
    ) {
        let most = outcomes.flatMap { $0.byConcurrent.map(value) }.max() ?? 1
        var decades = 1
        while Self.power(decades) < most { decades += 1 }
        let widest = Double(outcomes.flatMap { $0.byConcurrent.map(\.concurrent) }.max() ?? 1)
        // None stands below the line of one.
        func y(_ count: Int) -> Double {
            let height = count < 1 ? 0 : (Self.logarithm(count) + 0.4) / (Double(decades) + 0.4)
            return Self.top + Self.height * (1 - height)
        }
        func x(_ concurrent: Int) -> Double { left + Self.width * Double(concurrent) / widest }
        text(left, Self.top - 10, title)
        for decade in 0...decades {
            let at = y(Self.power(decade))
            line(left, at, left + Self.width, at, "#dddddd", width: 1)
            text(left - 8, at + 4, "\(Self.power(decade))", anchor: "end")
        }
        line(left, Self.top + Self.height, left + Self.width, Self.top + Self.height, "#000000", width: 1)
        text(left - 8, Self.top + Self.height + 4, "0", anchor: "end")
        for entry in outcomes.first?.byConcurrent ?? [] {
            text(x(entry.concurrent), Self.top + Self.height + 18, "\(entry.concurrent)", anchor: "middle")
        }
        text(left + Self.width / 2, Self.top + Self.height + 40, "slow members at once", anchor: "middle")
        for (place, outcome) in outcomes.enumerated() {
            let points = outcome.byConcurrent.map { "\(Self.number(x($0.concurrent))),\(Self.number(y(value($0))))" }
            let style = "fill=\"none\" stroke=\"\(Self.colours[place])\" stroke-width=\"2.5\""
            parts.append("<polyline points=\"\(points.joined(separator: " "))\" \(style)/>")
        }
    }

    private mutating func text(_ x: Double, _ y: Double, _ text: String, anchor: String = "start", size: Int = 12) {
        let place = "x=\"\(Self.number(x))\" y=\"\(Self.number(y))\""
        parts.append("<text \(place) text-anchor=\"\(anchor)\" font-size=\"\(size)\">\(text)</text>")
    }

    private mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, width: Double) {
        let ends = "x1=\"\(Self.number(x1))\" y1=\"\(Self.number(y1))\" x2=\"\(Self.number(x2))\" y2=\"\(Self.number(y2))\""
        parts.append("<line \(ends) stroke=\"\(colour)\" stroke-width=\"\(Self.number(width))\"/>")
    }

    private static func power(_ exponent: Int) -> Int { (0..<exponent).reduce(1) { power, _ in power * 10 } }

    /// Of a count of at least 1, to base ten; straight between tenths of a decade would be as good in a picture.
    private static func logarithm(_ count: Int) -> Double {
        var value = Double(count)
        var result = 0.0
        while value >= 10 {
            value /= 10
            result += 1
        }
        var step = 0.5
        for _ in 0..<12 {
            value *= value
            if value >= 10 {
                value /= 10
                result += step
            }
            step /= 2
        }
        return result
    }
}
