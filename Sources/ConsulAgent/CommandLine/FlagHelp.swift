import Core

/// How flags are shown to users. Spec: cli §1.3, §1.4.
extension FlagSet {
    private var sorted: [Flag] { flags.sorted { ByteString($0.name) < ByteString($1.name) } }

    /// The sections at the end of a command's help.
    var help: String {
        var text = ""
        for (section, title) in [(Flag.Section.client, "HTTP API Options"), (.command, "Command Options")] {
            let members = sorted.filter { $0.section == section }
            if members.isEmpty { continue }
            text += "\(title)\n\n"
            for flag in members {
                text += "  -\(flag.name)" + (flag.placeholder.map { "=<\($0)>" } ?? "") + "\n"
                text += TextLayout.wrapped(flag.help, indent: 5, columnsMax: 72) + "\n\n"
            }
        }
        return text
    }

    /// The list after a mistake in the flags.
    var usage: String {
        var text = "Usage:\n"
        for flag in sorted {
            text += "  -\(flag.name)" + (flag.placeholder.map { " \($0)" } ?? "") + "\n"
            text += "    \t\(flag.help.filter { $0 != "`" })"
            if !flag.initial.isEmpty, !["0", "0s", "false"].contains(flag.initial) {
                text += " (default \(flag.kind == .string || flag.kind == .value ? GoQuote.quote(flag.initial) : flag.initial))"
            }
            text += "\n"
        }
        return text
    }
}

/// Texts for a terminal.
enum TextLayout {
    /// Words in lines of at most `columnsMax` columns, each indented.
    static func wrapped(_ text: String, indent: Int, columnsMax: Int) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent + line.count + 1 + word.count > columnsMax {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        lines.append(line)
        return lines.map { String(repeating: " ", count: indent) + $0 }.joined(separator: "\n")
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - columns(text)))
    }

    /// Widths count code points.
    private static func columns(_ text: String) -> Int { text.unicodeScalars.count }

    /// Cells trimmed and padded to their column, columns two blanks apart, the last one not padded (cli §4).
    static func columns(_ rows: [[String]]) -> String {
        let rows = rows.map { $0.map(trimmed) }
        return aligned(rows, gap: 2, padsLast: false).joined(separator: "\n")
    }

    /// Cells padded to their column, columns six blanks apart (cli §4).
    static func tabs(_ rows: [[String]]) -> String { aligned(rows, gap: 6, padsLast: false).joined(separator: "\n") }

    private static func aligned(_ rows: [[String]], gap: Int, padsLast: Bool) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { index in rows.map { index < $0.count ? columns($0[index]) : 0 }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { index, cell in index == row.count - 1 ? cell : padded(cell, widths[index] + gap) }.joined()
        }
    }

    /// A number that is not negative, with so many decimals.
    static func decimal(_ number: Double, places: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int64(exactly: (number * Double(scale)).rounded(.toNearestOrEven)) ?? 0
        let decimals = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: places - decimals.count) + decimals
    }

    static func trimmed(_ text: String) -> String {
        var scalars = text.unicodeScalars[...]
        while scalars.first?.properties.isWhitespace ?? false { scalars = scalars.dropFirst() }
        while scalars.last?.properties.isWhitespace ?? false { scalars = scalars.dropLast() }
        return String(scalars)
    }
}
