/// What two members tell each other when they exchange their whole state (gossip §11.3).
struct PushPullState: SerfBody, Equatable {
    static let kind = SerfMessageKind.pushPull

    struct MemberTime: Equatable {
        var name: String
        var ltime: UInt64
    }

    struct Event: Equatable {
        var name: String
        var payload: [UInt8]?
    }

    /// The events of one Lamport time.
    struct EventSlot: Equatable {
        var ltime: UInt64
        var events: [Event]
    }

    /// The member clock.
    var ltime: UInt64 = 0
    /// Of every member that the sender knows, those that left included.
    var statusTimes: [MemberTime] = []
    var leftMembers: [String] = []
    var eventLTime: UInt64 = 0
    /// On the wire, slots without events are nil and as many as the sender's buffer has.
    var events: [EventSlot?] = []
    var queryLTime: UInt64 = 0

    init() {}

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        let order: [StaticString] = ["LTime", "StatusLTimes", "LeftMembers", "EventLTime", "Events", "QueryLTime"]
        var fields = try GossipFields(&reader, order: order)
        while let key = try fields.next(&reader) {
            switch key {
            case "LTime": ltime = try reader.uint64()
            case "StatusLTimes": statusTimes = try Self.statusTimes(&reader)
            case "LeftMembers": leftMembers = try reader.strings() ?? []
            case "EventLTime": eventLTime = try reader.uint64()
            case "Events": events = try Self.slots(&reader)
            case "QueryLTime": queryLTime = try reader.uint64()
            default: try reader.skip()
            }
        }
    }

    private static func statusTimes(_ reader: inout MessagePackReader) throws(MessagePackError) -> [MemberTime] {
        guard let count = try reader.mapHeader() else { return [] }
        var times: [MemberTime] = []
        times.reserveCapacity(min(count, 1_024))
        for _ in 0..<count {
            let name = try reader.gossipString()
            times.append(MemberTime(name: name, ltime: try reader.uint64()))
        }
        return times
    }

    private static func slots(_ reader: inout MessagePackReader) throws(MessagePackError) -> [EventSlot?] {
        guard let count = try reader.arrayHeader() else { return [] }
        var slots: [EventSlot?] = []
        slots.reserveCapacity(min(count, 1_024))
        for _ in 0..<count {
            if reader.readNull() {
                slots.append(nil)
                continue
            }
            var slot = EventSlot(ltime: 0, events: [])
            var fields = try GossipFields(&reader, order: ["LTime", "Events"])
            while let key = try fields.next(&reader) {
                switch key {
                case "LTime": slot.ltime = try reader.uint64()
                case "Events": slot.events = try events(&reader)
                default: try reader.skip()
                }
            }
            slots.append(slot)
        }
        return slots
    }

    private static func events(_ reader: inout MessagePackReader) throws(MessagePackError) -> [Event] {
        guard let count = try reader.arrayHeader() else { return [] }
        var events: [Event] = []
        for _ in 0..<count {
            var event = Event(name: "", payload: nil)
            var fields = try GossipFields(&reader, order: ["Name", "Payload"])
            while let key = try fields.next(&reader) {
                switch key {
                case "Name": event.name = try reader.gossipString()
                case "Payload": event.payload = try reader.optionalBytes()
                default: try reader.skip()
                }
            }
            events.append(event)
        }
        return events
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.bytes.reserveCapacity(writer.bytes.count + 24 * statusTimes.count + events.count + 128)
        writer.mapHeader(6)
        writer.field("EventLTime", eventLTime)
        writer.key("Events")
        writer.arrayHeader(events.count)
        for slot in events {
            guard let slot else {
                writer.null()
                continue
            }
            writer.mapHeader(2)
            writer.key("Events")
            writer.arrayHeader(slot.events.count)
            for event in slot.events {
                writer.mapHeader(2)
                writer.field("Name", event.name)
                writer.field("Payload", event.payload)
            }
            writer.field("LTime", slot.ltime)
        }
        writer.field("LTime", ltime)
        writer.field("LeftMembers", leftMembers)
        writer.field("QueryLTime", queryLTime)
        writer.key("StatusLTimes")
        writer.mapHeader(statusTimes.count)
        for member in statusTimes {
            writer.string(member.name)
            writer.uint(member.ltime)
        }
    }
}
