/// A set of Unicode scalars: ranges and general categories, possibly negated and possibly blind to case.
struct ScalarSet: Sendable {
    private(set) var ranges: [ClosedRange<UInt32>] = []
    private var categories: [(members: [Unicode.GeneralCategory], negated: Bool)] = []
    private var negatedRanges: [[ClosedRange<UInt32>]] = []
    private(set) var negated = false
    private(set) var foldsCase = false
    /// Membership of the ASCII characters, all told.
    private var ascii: (low: UInt64, high: UInt64) = (0, 0)

    init() {}

    /// One character, or all that differ from it in case only.
    init(_ value: UInt32, foldsCase: Bool) {
        ranges = [value...value]
        if foldsCase, let scalar = Unicode.Scalar(value) { ranges = ScalarSet.caseVariants(scalar).map { $0.value...$0.value } }
        for range in ranges where range.lowerBound < 128 { insertASCII(range.lowerBound) }
    }

    init(ranges: [ClosedRange<UInt32>], negated: Bool = false) {
        self.ranges = ranges
        self.negated = negated
        seal()
    }

    mutating func insert(_ range: ClosedRange<UInt32>) { ranges.append(range) }

    mutating func insert(_ others: [ClosedRange<UInt32>], negated: Bool) {
        if negated { negatedRanges.append(others) } else { ranges += others }
    }

    mutating func insert(_ category: [Unicode.GeneralCategory], negated: Bool) { categories.append((category, negated)) }

    /// Must follow the last change.
    mutating func seal(negated: Bool, foldsCase: Bool) {
        self.negated = negated
        self.foldsCase = foldsCase
        seal()
    }

    private mutating func seal() {
        ascii = (0, 0)
        for value in 0..<UInt8(128) where slowlyContains(Unicode.Scalar(value)) { insertASCII(UInt32(value)) }
    }

    private mutating func insertASCII(_ value: UInt32) {
        if value < 64 { ascii.low |= 1 << UInt64(value) } else { ascii.high |= 1 << UInt64(value - 64) }
    }

    @inline(__always)
    func contains(_ scalar: Unicode.Scalar) -> Bool {
        let value = scalar.value
        if value < 64 { return ascii.low >> UInt64(value) & 1 != 0 }
        if value < 128 { return ascii.high >> UInt64(value - 64) & 1 != 0 }
        return slowlyContains(scalar)
    }

    private func slowlyContains(_ scalar: Unicode.Scalar) -> Bool {
        let found = foldsCase ? ScalarSet.caseVariants(scalar).contains { holds($0) } : holds(scalar)
        return found != negated
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        let value = scalar.value
        if ranges.contains(where: { $0.contains(value) }) { return true }
        if negatedRanges.contains(where: { !$0.contains { $0.contains(value) } }) { return true }
        if categories.isEmpty { return false }
        let category = scalar.properties.generalCategory
        return categories.contains { $0.members.contains(category) != $0.negated }
    }

    /// The scalars that differ from `scalar` in case only, and itself.
    private static func caseVariants(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        if scalar.isASCII { return asciiCaseVariants(scalar) }
        var variants = [scalar]
        func add(_ text: String) {
            let scalars = text.unicodeScalars
            if let only = scalars.first, scalars.count == 1, !variants.contains(only) { variants.append(only) }
        }
        add(scalar.properties.lowercaseMapping)
        add(scalar.properties.uppercaseMapping)
        for variant in variants {
            add(variant.properties.lowercaseMapping)
            add(variant.properties.uppercaseMapping)
        }
        // The angstrom sign, which no mapping leads to.
        if scalar == "\u{E5}" || scalar == "\u{C5}" { add("\u{212B}") }
        return variants
    }

    private static func asciiCaseVariants(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        switch scalar {
        case "k", "K": return ["k", "K", "\u{212A}"]
        case "s", "S": return ["s", "S", "\u{17F}"]
        case "a"..."z", "A"..."Z": return [scalar, Unicode.Scalar(UInt8(scalar.value ^ 0x20))]
        default: return [scalar]
        }
    }
}

/// The named character classes of RE2.
enum RegexClasses {
    static let digit: [ClosedRange<UInt32>] = [0x30...0x39]
    static let blank: [ClosedRange<UInt32>] = [0x09...0x0A, 0x0C...0x0D, 0x20...0x20]
    static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]

    /// `\d`, `\S` and so on by their letter; nil if it is none.
    static func perl(_ letter: UInt8) -> (ranges: [ClosedRange<UInt32>], negated: Bool)? {
        switch letter {
        case UInt8(ascii: "d"): (digit, false)
        case UInt8(ascii: "D"): (digit, true)
        case UInt8(ascii: "s"): (blank, false)
        case UInt8(ascii: "S"): (blank, true)
        case UInt8(ascii: "w"): (word, false)
        case UInt8(ascii: "W"): (word, true)
        default: nil
        }
    }

    /// `alnum` of `[:alnum:]`.
    static func posix(_ name: String) -> [ClosedRange<UInt32>]? {
        switch name {
        case "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A]
        case "alpha": [0x41...0x5A, 0x61...0x7A]
        case "ascii": [0x00...0x7F]
        case "blank": [0x09...0x09, 0x20...0x20]
        case "cntrl": [0x00...0x1F, 0x7F...0x7F]
        case "digit": digit
        case "graph": [0x21...0x7E]
        case "lower": [0x61...0x7A]
        case "print": [0x20...0x7E]
        case "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]
        case "space": [0x09...0x0D, 0x20...0x20]
        case "upper": [0x41...0x5A]
        case "word": word
        case "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66]
        default: nil
        }
    }

    /// A general category, or all that begin with its letter.
    static func category(_ name: String) -> [Unicode.GeneralCategory]? {
        switch name {
        case "L": [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
        case "Lu": [.uppercaseLetter]
        case "Ll": [.lowercaseLetter]
        case "Lt": [.titlecaseLetter]
        case "Lm": [.modifierLetter]
        case "Lo": [.otherLetter]
        case "M": [.nonspacingMark, .spacingMark, .enclosingMark]
        case "Mn": [.nonspacingMark]
        case "Mc": [.spacingMark]
        case "Me": [.enclosingMark]
        case "N": [.decimalNumber, .letterNumber, .otherNumber]
        case "Nd": [.decimalNumber]
        case "Nl": [.letterNumber]
        case "No": [.otherNumber]
        case "P":
            [
                .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
                .otherPunctuation,
            ]
        case "Pc": [.connectorPunctuation]
        case "Pd": [.dashPunctuation]
        case "Ps": [.openPunctuation]
        case "Pe": [.closePunctuation]
        case "Pi": [.initialPunctuation]
        case "Pf": [.finalPunctuation]
        case "Po": [.otherPunctuation]
        case "S": [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]
        case "Sm": [.mathSymbol]
        case "Sc": [.currencySymbol]
        case "Sk": [.modifierSymbol]
        case "So": [.otherSymbol]
        case "Z": [.spaceSeparator, .lineSeparator, .paragraphSeparator]
        case "Zs": [.spaceSeparator]
        case "Zl": [.lineSeparator]
        case "Zp": [.paragraphSeparator]
        case "C": [.control, .format, .privateUse, .surrogate]
        case "Cc": [.control]
        case "Cf": [.format]
        case "Co": [.privateUse]
        case "Cs": [.surrogate]
        default: nil
        }
    }
}
