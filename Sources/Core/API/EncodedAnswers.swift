/// Encoded answers to recent questions, each good as long as the state it was read from is the published one.
///
/// Bounded in number and bytes; when it is full it starts anew. The Date header is replaced in every copy.
struct EncodedAnswers {
    private struct Answer {
        var bytes: [UInt8]
        /// Where the value of the Date header is; nil if there is none.
        var dateAt: Int?
        var read: AnsweredRead
    }

    private var answers = LookupTable<ByteString, Answer>()
    private var size = 0
    /// The state that all of them were read from, and what those see of it who get them.
    private var state: PublishedState?
    private var view = Authorizer.View.everything

    static let countMax = 512
    static let sizeMax = 2 << 20
    /// Longer answers are not worth their memory.
    static let answerSizeMax = 128 << 10

    /// Appends the answer to the question `target` if there is one; what it counts as, nil if there is none.
    mutating func append(
        _ target: [UInt8], _ state: PublishedState, _ view: Authorizer.View, _ date: [UInt8], to out: inout [UInt8]
    ) -> AnsweredRead? {
        guard self.state === state || planted(.keptAnswerOfOldState), self.view == view,
            let answer = answers[ByteString(planted(.keptAnswerOfOtherTarget) ? Array(target.prefix { $0 != 0x3F }) : target)]
        else { return nil }
        let start = out.count
        out.append(contentsOf: answer.bytes)
        if let at = answer.dateAt {
            for offset in date.indices { out[start + at + offset] = date[offset] }
        }
        return answer.read
    }

    mutating func keep(
        _ target: [UInt8], _ state: PublishedState, _ view: Authorizer.View, _ date: [UInt8], _ bytes: ArraySlice<UInt8>,
        _ read: AnsweredRead
    ) {
        guard bytes.count <= Self.answerSizeMax else { return }
        if self.state !== state || self.view != view || answers.count >= Self.countMax || size + bytes.count > Self.sizeMax {
            answers.removeAll(keepingCapacity: answers.count <= Self.countMax)
            size = 0
            self.state = state
            self.view = view
        }
        answers[ByteString(planted(.keptAnswerOfOtherTarget) ? Array(target.prefix { $0 != 0x3F }) : target)] = Answer(
            bytes: Array(bytes), dateAt: position(of: date, in: bytes).map { $0 - bytes.startIndex }, read: read)
        size += bytes.count
    }

    /// Headers come first, and no header before Date holds a date in that form.
    private func position(of date: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard !date.isEmpty else { return nil }
        var at = bytes.startIndex
        while at + date.count <= bytes.endIndex {
            if bytes[at] == date[0], bytes[at..<at + date.count].elementsEqual(date) { return at }
            if bytes[at] == 13, bytes[at..<min(bytes.endIndex, at + 4)].elementsEqual([13, 10, 13, 10]) { return nil }
            at += 1
        }
        return nil
    }
}
