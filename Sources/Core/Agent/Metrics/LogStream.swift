/// A client that follows the log (`GET /v1/agent/monitor`): lines are made for it while it is connected. Spec: http-1 §4.20.
public struct LogStream: Sendable {
    /// Less important lines are left out.
    public var level: LogLevel
    public var json: Bool
    public init(level: LogLevel, json: Bool) {
        self.level = level
        self.json = json
    }

    /// The line with its end, nil for one that is left out. `time` is the wall clock's.
    public func line(_ level: LogLevel, module: String, _ message: String, at time: GoTime) -> [UInt8]? {
        if level < self.level { return nil }
        if json {
            var stamp: [UInt8] = []
            time.appendLogTime(digits: 6, to: &stamp)
            return Self.jsonLine(level, module: module, message, time: stamp)
        }
        var out: [UInt8] = []
        out.reserveCapacity(48 + module.utf8.count + message.utf8.count)
        time.appendLogTime(digits: 3, to: &out)
        out.append(text: level.column)
        out.append(text: module)
        out.append(text: ": ")
        LogText.append(message, to: &out)
        out.append(0x0A)
        return out
    }

    /// A line of JSON with its end: the message's pairs are fields of their own. `time` has microseconds.
    public static func jsonLine(_ level: LogLevel, module: String, _ message: String, time: [UInt8]) -> [UInt8] {
        let (text, pairs) = LogText.split(message)
        var json = JSONWriter()
        json.beginObject()
        for (name, text) in [("@level", level.name), ("@message", text), ("@module", module), ("@timestamp", String(repairing: time))] {
            json.key(name)
            json.string(text)
        }
        var last: String?
        for pair in pairs.sorted(by: { ByteString($0.key) < ByteString($1.key) }) where pair.key != last {
            json.key(pair.key)
            json.dynamic(pair.value)
            last = pair.key
        }
        json.endObject()
        return json.finish() + [0x0A]
    }
}

extension GoTime {
    /// In UTC, with that many digits of the second's fraction.
    fileprivate func appendLogTime(digits: Int, to out: inout [UInt8]) {
        GoTime(unixSeconds: unixSeconds).appendRFC3339(to: &out)
        out[out.count - 1] = UInt8(ascii: ".")
        var divisor: Int32 = 100_000_000
        for _ in 0..<digits {
            out.append(UInt8(ascii: "0") + UInt8(nanoseconds / divisor % 10))
            divisor /= 10
        }
        out.append(UInt8(ascii: "Z"))
    }
}
