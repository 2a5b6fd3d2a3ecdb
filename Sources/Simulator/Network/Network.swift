import Core

/// What becomes of one message.
enum Passage {
    case arrives(after: Duration)
    case lost
}

/// The links between servers, and between clients and servers: delay, loss, partitions.
///
/// Clients are one place beside the servers: they reach every server unless a partition names them.
final class Network {
    private struct Link {
        /// How many partitions cut this direction.
        var cuts = 0
        /// Messages sent before this wait for it.
        var cloggedUntil = Instant.zero
        /// Some links are longer than others, in hundredths.
        var stretch = 100
        var lastArrival = Instant.zero
    }

    /// A cut that can be taken back.
    struct Partition {
        var ticket: UInt64
        var directions: [(from: Int, to: Int)]
    }

    let servers: Int
    /// The place of the clients.
    var clients: Int { servers }
    var profile: NetworkProfile
    var clientProfile: NetworkProfile
    private var links: [Link]
    private(set) var partitions: [Partition] = []
    private var random: Random
    private(set) var messages = 0
    private(set) var lost = 0

    init(servers: Int, profile: NetworkProfile, clientProfile: NetworkProfile, random: Random) {
        self.servers = servers
        self.profile = profile
        self.clientProfile = clientProfile
        self.random = random
        links = Array(repeating: Link(), count: (servers + 1) * (servers + 1))
    }

    private func at(_ from: Int, _ to: Int) -> Int { from * (servers + 1) + to }

    func setStretch(from: Int, to: Int, hundredths: Int) { links[at(from, to)].stretch = hundredths }

    /// Sends one message now.
    func send(from: Int, to: Int, now: Instant) -> Passage {
        let profile = from == clients || to == clients ? clientProfile : profile
        messages += 1
        let index = at(from, to)
        if links[index].cuts > 0 || random.chance(profile.drop) {
            lost += 1
            return .lost
        }
        var delay = random.duration(in: profile.delay)
        if links[index].stretch != 100 { delay = delay * links[index].stretch / 100 }
        if random.chance(profile.tailChance) { delay = delay * 10 }
        var arrival = max(now, links[index].cloggedUntil) + delay
        if !profile.reorders { arrival = max(arrival, links[index].lastArrival + .nanoseconds(1)) }
        links[index].lastArrival = max(arrival, links[index].lastArrival)
        return .arrives(after: arrival - now)
    }

    /// How much later the copy of a message arrives; nil for no copy.
    func duplicate() -> Duration? {
        guard random.chance(profile.duplicate) else { return nil }
        return random.duration(in: profile.delay) * random.int(in: 1...20)
    }

    /// When the sender of a lost call learns that it failed: at once, if something told it, or by its timeout.
    func failureDelay(timeout: Duration) -> Duration {
        guard random.chance(0.5) else { return timeout }
        return min(timeout, random.duration(in: .milliseconds(1)...(.milliseconds(500))))
    }

    // MARK: - Faults

    func isCut(from: Int, to: Int) -> Bool { links[at(from, to)].cuts > 0 }

    func cut(_ directions: [(from: Int, to: Int)], ticket: UInt64) {
        for direction in directions { links[at(direction.from, direction.to)].cuts += 1 }
        partitions.append(Partition(ticket: ticket, directions: directions))
    }

    func mend(ticket: UInt64) {
        guard let index = partitions.firstIndex(where: { $0.ticket == ticket }) else { return }
        for direction in partitions.remove(at: index).directions { links[at(direction.from, direction.to)].cuts -= 1 }
    }

    /// Ends all partitions and jams.
    func mendAll() {
        for index in links.indices {
            links[index].cuts = 0
            links[index].cloggedUntil = .zero
        }
        partitions.removeAll()
    }

    func clog(from: Int, to: Int, until: Instant) { links[at(from, to)].cloggedUntil = until }

    /// The directions that a partition into `groups` cuts: between every two places of different groups.
    /// Servers in no group form one together; the clients are only cut off if they are named.
    func directions(between groups: [[Int]]) -> [(from: Int, to: Int)] {
        var group = Array(repeating: -1, count: servers + 1)
        for (number, members) in groups.enumerated() {
            for member in members { group[member] = number }
        }
        var directions: [(from: Int, to: Int)] = []
        for from in 0...servers {
            for to in 0...servers where group[from] != group[to] {
                if (from == clients || to == clients) && group[clients] == -1 { continue }
                directions.append((from, to))
            }
        }
        return directions
    }
}
