import Core

/// What becomes of one message.
enum Passage {
    case arrives(after: Duration)
    case lost
}

/// The links between agents, and between clients and agents: delay, loss, partitions.
///
/// Clients are one place beside the agents: they reach every agent unless a partition names them. What goes over a connection, and is
/// therefore sent again by the system when it is lost, is a message; what is not is a datagram.
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
    var packetProfile: NetworkProfile
    /// By place: how much of all that goes to it or comes from it is lost on the way.
    private var losses: [Double]
    private var isLossy = false
    private var links: [Link]
    private(set) var partitions: [Partition] = []
    private var random: Random
    private(set) var messages = 0
    private(set) var lost = 0
    private(set) var datagrams = 0

    init(
        servers: Int, profile: NetworkProfile, clientProfile: NetworkProfile, packetProfile: NetworkProfile = NetworkProfile(),
        random: Random
    ) {
        self.servers = servers
        self.profile = profile
        self.clientProfile = clientProfile
        self.packetProfile = packetProfile
        losses = Array(repeating: 0, count: servers + 1)
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
        var link = links[index]
        if link.cuts > 0 || random.chance(profile.drop) {
            lost += 1
            return .lost
        }
        var delay = random.duration(in: profile.delay)
        if link.stretch != 100 { delay = delay * link.stretch / 100 }
        if random.chance(profile.tailChance) { delay = delay * 10 }
        if isLossy {
            guard let repeating = retransmission(loss(from, to)) else {
                lost += 1
                return .lost
            }
            delay += repeating
        }
        var arrival = max(now, link.cloggedUntil) + delay
        if !profile.reorders { arrival = max(arrival, link.lastArrival + .nanoseconds(1)) }
        link.lastArrival = max(arrival, link.lastArrival)
        links[index] = link
        return .arrives(after: arrival - now)
    }

    /// Sends one datagram now: it may be lost, arrive twice, and overtake others.
    func datagram(from: Int, to: Int, now: Instant) -> (first: Duration?, copy: Duration?) {
        datagrams += 1
        let link = links[at(from, to)]
        if link.cuts > 0 || random.chance(packetProfile.drop) || (isLossy && random.chance(loss(from, to))) { return (nil, nil) }
        var delay = random.duration(in: packetProfile.delay)
        if link.stretch != 100 { delay = delay * link.stretch / 100 }
        if random.chance(packetProfile.tailChance) { delay = delay * 10 }
        let first = max(now, link.cloggedUntil) + delay - now
        guard random.chance(packetProfile.duplicate) else { return (first, nil) }
        return (first, first + random.duration(in: packetProfile.delay) * random.int(in: 1...20))
    }

    private func loss(_ from: Int, _ to: Int) -> Double { 1 - (1 - losses[from]) * (1 - losses[to]) }

    /// How long a connection takes to get a message through at that rate of loss, beyond the way itself; nil: it gives up.
    private func retransmission(_ loss: Double) -> Duration? {
        guard loss > 0 else { return .zero }
        var total = Duration.zero
        var timeout = Self.retransmissionTimeout
        while random.chance(loss) {
            total += timeout
            timeout = timeout * 2
            if timeout > Self.retransmissionMax { return nil }
        }
        return total
    }

    /// As Linux does: first after this long, then after twice as long each time.
    private static let retransmissionTimeout: Duration = .milliseconds(200)
    private static let retransmissionMax: Duration = .seconds(60)

    /// From now on that part of all that goes to or from the place is lost.
    func setLoss(at place: Int, _ part: Double) {
        losses[place] = part
        isLossy = losses.contains { $0 > 0 }
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
        for place in losses.indices { losses[place] = 0 }
        isLossy = false
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
