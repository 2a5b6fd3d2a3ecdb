/// An expression as instructions for a machine that follows all its paths at once.
struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        /// Consumes one scalar of the set of that index.
        case set(Int)
        case assertion(RegexNode.Assertion)
        case jump(Int)
        case split(Int, Int)
        case match
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ScalarSet] = []
    /// A match can begin at the start of the text only.
    private(set) var isAnchored = false

    init(_ node: RegexNode) throws(RegexError) {
        guard node.depth < RegexLimits.depth else { throw RegexError(code: .nestingDepth, part: "") }
        try compile(node)
        try emit(.match)
        if case .assertion(.beginText)? = instructions.first { isAnchored = true }
    }

    @discardableResult
    private mutating func emit(_ instruction: Instruction) throws(RegexError) -> Int {
        guard instructions.count < RegexLimits.instructions else { throw RegexError(code: .tooLarge, part: "") }
        instructions.append(instruction)
        return instructions.count - 1
    }

    private mutating func compile(_ node: RegexNode) throws(RegexError) {
        switch node {
        case .empty: break
        case .set(let set):
            sets.append(set)
            try emit(.set(sets.count - 1))
        case .assertion(let assertion): try emit(.assertion(assertion))
        case .sequence(let parts): for part in parts { try compile(part) }
        case .alternatives(let parts): try compileAlternatives(parts)
        case .repetition(let part, let min, let max): try compileRepetition(part, min, max)
        }
    }

    private mutating func compileAlternatives(_ parts: [RegexNode]) throws(RegexError) {
        var jumps: [Int] = []
        for (at, part) in parts.enumerated() {
            guard at < parts.count - 1 else {
                try compile(part)
                break
            }
            let split = try emit(.split(0, 0))
            try compile(part)
            jumps.append(try emit(.jump(0)))
            instructions[split] = .split(split + 1, instructions.count)
        }
        for jump in jumps { instructions[jump] = .jump(instructions.count) }
    }

    private mutating func compileRepetition(_ part: RegexNode, _ min: Int, _ max: Int?) throws(RegexError) {
        for _ in 0..<min { try compile(part) }
        if let max {
            var splits: [Int] = []
            for _ in min..<Swift.max(min, max) {
                splits.append(try emit(.split(0, 0)))
                try compile(part)
            }
            for split in splits { instructions[split] = .split(split + 1, instructions.count) }
        } else {
            let split = try emit(.split(0, 0))
            try compile(part)
            try emit(.jump(split))
            instructions[split] = .split(split + 1, instructions.count)
        }
    }
}

/// Runs a program over a text: Thompson's simulation, linear in the text.
struct RegexMatcher {
    private let program: RegexProgram
    /// Instructions that are waiting for the next scalar, and marks of those already in the list of this step.
    private var current: [Int] = []
    private var next: [Int] = []
    private var marks: [Int]
    private var step = 0
    private var stack: [Int] = []

    init(_ program: RegexProgram) {
        self.program = program
        marks = Array(repeating: 0, count: program.instructions.count)
    }

    mutating func matches(_ text: String) -> Bool {
        var previous: Unicode.Scalar?
        var iterator = text.unicodeScalars.makeIterator()
        var scalar = iterator.next()
        step = 1
        if follow(0, previous, scalar) { return true }
        swap(&current, &next)
        while let now = scalar {
            let after = iterator.next()
            step += 1
            next.removeAll(keepingCapacity: true)
            for at in current {
                guard case .set(let index) = program.instructions[at], program.sets[index].contains(now) else { continue }
                if follow(at + 1, now, after) { return true }
            }
            if !program.isAnchored, follow(0, now, after) { return true }
            if next.isEmpty, program.isAnchored { return false }
            swap(&current, &next)
            previous = now
            scalar = after
        }
        return false
    }

    /// Adds to `next` what can be reached from `start` without consuming anything; true if that is a match.
    private mutating func follow(_ start: Int, _ before: Unicode.Scalar?, _ after: Unicode.Scalar?) -> Bool {
        stack.append(start)
        while let at = stack.popLast() {
            if marks[at] == step { continue }
            marks[at] = step
            switch program.instructions[at] {
            case .match:
                stack.removeAll(keepingCapacity: true)
                return true
            case .set: next.append(at)
            case .jump(let target): stack.append(target)
            case .split(let first, let second):
                stack.append(second)
                stack.append(first)
            case .assertion(let assertion): if RegexMatcher.holds(assertion, before, after) { stack.append(at + 1) }
            }
        }
        return false
    }

    private static func holds(_ assertion: RegexNode.Assertion, _ before: Unicode.Scalar?, _ after: Unicode.Scalar?) -> Bool {
        switch assertion {
        case .beginText: before == nil
        case .endText: after == nil
        case .beginLine: before == nil || before == "\n"
        case .endLine: after == nil || after == "\n"
        case .wordBoundary: isWord(before) != isWord(after)
        case .noWordBoundary: isWord(before) == isWord(after)
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar, scalar.isASCII else { return false }
        return RegexClasses.word.contains { $0.contains(scalar.value) }
    }
}
