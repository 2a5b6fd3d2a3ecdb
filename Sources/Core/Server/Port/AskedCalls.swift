/// The calls of a connection that are not answered yet, each under a serial that no other one of them has. They can be walked, in an order that
/// does not depend on hashes.
struct AskedCalls {
    struct Call {
        /// nil: the stream is gone, and another one may have its number.
        var stream: UInt32?
        /// Of the call, in bytes.
        var size: Int
    }

    private struct Place {
        /// How often the place was taken before.
        var uses: UInt16 = 0
        var call: Call?
    }

    private var places: [Place] = []
    private var free: [UInt16] = []

    /// More calls find no place.
    static let countMax = 1 << 16

    var count: Int { places.count - free.count }

    /// nil when there is no place for another call.
    mutating func add(_ call: Call) -> UInt32? {
        guard let place = free.popLast() else {
            guard places.count < Self.countMax else { return nil }
            places.append(Place(call: call))
            return UInt32(places.count - 1)
        }
        places[Int(place)].uses &+= 1
        places[Int(place)].call = call
        return UInt32(places[Int(place)].uses) << 16 | UInt32(place)
    }

    /// The call is answered; nil if it was already.
    mutating func remove(_ serial: UInt32) -> Call? {
        guard let place = place(of: serial), let call = places[place].call else { return nil }
        places[place].call = nil
        free.append(UInt16(place))
        return call
    }

    /// The stream of the call is gone.
    mutating func loseStream(_ serial: UInt32) { if let place = place(of: serial) { places[place].call?.stream = nil } }

    private func place(of serial: UInt32) -> Int? {
        let place = Int(serial & 0xFFFF)
        return place < places.count && places[place].uses == UInt16(serial >> 16) ? place : nil
    }

    /// All of them. O(the most there ever were at a time).
    var serials: [UInt32] {
        places.indices.compactMap { places[$0].call == nil ? nil : UInt32(places[$0].uses) << 16 | UInt32($0) }
    }
}
