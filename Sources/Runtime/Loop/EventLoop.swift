import CSystem
import Core
import Glibc

/// What happens to a descriptor that a loop watches.
///
/// All methods are called with the lock held that guards the loop.
protocol EventSource: AnyObject {
    /// `events` are those of epoll(7).
    func ready(_ events: UInt32)
    /// The machine's answer to a request of this source. Without effect if it is no longer waited for.
    func respond(_ response: HTTPResponse, to id: RequestID)
    /// The beginning of an answer whose body follows in pieces, and the pieces.
    func respondInPieces(_ response: HTTPResponse, to id: RequestID)
    func piece(_ bytes: [UInt8], of id: RequestID)
    /// The machine's answer to a DNS question of this source.
    func answer(_ bytes: [UInt8], to id: RequestID)
    /// Called every second for sources that asked for it.
    func sweep(at now: Instant)
    /// The agent stops: no new work, close what waits for nothing.
    func shutDown()
}

extension EventSource {
    func respond(_ response: HTTPResponse, to id: RequestID) {}
    func respondInPieces(_ response: HTTPResponse, to id: RequestID) {}
    func piece(_ bytes: [UInt8], of id: RequestID) {}
    func answer(_ bytes: [UInt8], to id: RequestID) {}
    func sweep(at now: Instant) {}
    func shutDown() {}
}

extension UInt32 {
    static let readable = UInt32(EPOLLIN.rawValue)
    static let writable = UInt32(EPOLLOUT.rawValue)
    static let peerClosed = UInt32(EPOLLRDHUP.rawValue)
    static let hungUp = UInt32(EPOLLHUP.rawValue) | UInt32(EPOLLERR.rawValue)
    static let edgeTriggered = UInt32(EPOLLET.rawValue)
}

/// Descriptors and what to call when something happens to them, over one epoll descriptor.
///
/// Not thread-safe, except that `wait` may go on while another thread adds and removes sources: its owner guards the rest.
final class EventLoop {
    /// Names a source; never given out twice within four billion registrations of its place.
    struct Key: Hashable {
        let place: UInt32
        let generation: UInt32
        var raw: UInt64 { UInt64(generation) << 32 | UInt64(place) }
    }

    private struct Place {
        var source: (any EventSource)?
        var generation: UInt32 = 0
    }

    private let epoll: FileDescriptor
    private var places: [Place] = []
    private var free: [UInt32] = []
    private let happened: UnsafeMutableBufferPointer<epoll_event>

    init(eventsMax: Int = 256) throws(SystemError) {
        epoll = FileDescriptor(epoll_create1(Int32(EPOLL_CLOEXEC)))
        happened = .allocate(capacity: eventsMax)
        happened.initialize(repeating: epoll_event())
        guard epoll.isOpen else { throw .current }
    }

    deinit { happened.deallocate() }

    func add(_ fd: Int32, events: UInt32, _ source: any EventSource) throws(SystemError) -> Key {
        let place: UInt32
        if let last = free.popLast() {
            place = last
        } else {
            place = UInt32(places.count)
            places.append(Place())
        }
        places[Int(place)].generation &+= 1
        let key = Key(place: place, generation: places[Int(place)].generation)
        var event = epoll_event(events: events, data: epoll_data_t(u64: key.raw))
        guard epoll_ctl(epoll.raw, EPOLL_CTL_ADD, fd, &event) == 0 else {
            free.append(place)
            throw .current
        }
        places[Int(place)].source = source
        return key
    }

    /// Forgets the source; the caller closes the descriptor, which ends the kernel's watching.
    func remove(_ key: Key) {
        guard source(key) != nil else { return }
        places[Int(key.place)].source = nil
        free.append(key.place)
    }

    func source(_ key: Key) -> (any EventSource)? {
        guard Int(key.place) < places.count, places[Int(key.place)].generation == key.generation else { return nil }
        return places[Int(key.place)].source
    }

    /// The source that has this place now.
    func source(at place: Int) -> (any EventSource)? { place < places.count ? places[place].source : nil }

    /// Every source, in no particular order.
    var sources: [any EventSource] { places.compactMap(\.source) }

    /// Sleeps until something happens, at most `milliseconds` (-1: for ever); how many things happened.
    func wait(milliseconds: Int32) -> Int {
        let count = epoll_wait(epoll.raw, happened.baseAddress, Int32(happened.count), milliseconds)
        return max(0, Int(count))
    }

    /// Tells the sources what the last `wait` found.
    func dispatch(_ count: Int) {
        for index in 0..<count {
            let raw = happened[index].data.u64
            let key = Key(place: UInt32(truncatingIfNeeded: raw), generation: UInt32(truncatingIfNeeded: raw >> 32))
            source(key)?.ready(happened[index].events)
        }
    }
}

/// Wakes a loop that sleeps in `wait`.
final class Waker: EventSource, @unchecked Sendable {
    // Unchecked: the descriptor never changes, and writing to it is safe from everywhere.
    private let fd: FileDescriptor

    init() throws(SystemError) {
        fd = FileDescriptor(eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)))
        guard fd.isOpen else { throw .current }
    }

    func attach(to loop: EventLoop) throws(SystemError) {
        // Edge-triggered, so that the counter need never be read: every write is a new edge.
        _ = try loop.add(fd.raw, events: .readable | .edgeTriggered, self)
    }

    func wake() { eventfd_write(fd.raw, 1) }

    func ready(_ events: UInt32) {}
}
