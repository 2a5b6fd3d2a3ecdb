import Core

@testable import Simulator

/// The production agent with something wrong on purpose, so that a checker of whole runs has something to find.
final class FlawedAgent: SimulatedMachine {
    enum Flaw: Sendable {
        case none
        /// DNS answers from the first usable state that was published in this life.
        case frozenDNS
        /// Changes of who votes are not made.
        case ignoresMembershipChanges
        /// Takes failed writes for successful ones.
        case ignoresDiskErrors
        /// Hears nothing of what other members of its pool say.
        case isDeafToThePool
        /// Client agents' calls to servers never leave.
        case losesCalls
        /// Says that services are registered, and registers none.
        case forgetsRegistrations
        /// Says that archives are restored, and restores none.
        case forgetsRestores
    }

    /// For the tests of one process, which run one after the other.
    nonisolated(unsafe) static var flaw = Flaw.none

    private let agent: SimulatedAgent
    private let isClient: Bool

    init(_ settings: AgentSettings, disk: VirtualDisk, seed: UInt64, now: Instant) throws {
        isClient = !settings.identity.isServer
        agent = try SimulatedAgent(settings, disk: disk, seed: seed, now: now)
    }

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        switch (Self.flaw, event) {
        case (.ignoresDiskErrors, .disk(let completion)):
            var completion = completion
            if case .failure = completion.result { completion.result = .success([]) }
            agent.handle(.disk(completion), at: now, into: &effects)
        case (.isDeafToThePool, .packet): break
        case (.isDeafToThePool, .call(let id, _, .lan, _)): effects.append(.refuse(id))
        case (.forgetsRegistrations, .request(let id, let request)) where request.target.starts(with: "/v1/agent/service/register".utf8):
            effects.append(.respond(id, HTTPResponse(status: 200)))
        case (.forgetsRestores, .request(let id, let request))
        where request.method == "PUT" && request.target == Array("/v1/snapshot".utf8):
            effects.append(.respond(id, HTTPResponse(status: 200)))
        default: agent.handle(event, at: now, into: &effects)
        }
    }

    func flush(at now: Instant, into effects: inout [AgentEffect]) {
        agent.flush(at: now, into: &effects)
        guard isClient, Self.flaw == .losesCalls else { return }
        effects.removeAll { if case .call(_, _, .rpc, _, _) = $0 { true } else { false } }
    }
    var deadline: Instant? { agent.deadline }
    var raft: AgentRaftView? { agent.raft }
    var poolMembers: [PoolChecker.Sighting]? { agent.poolMembers }
    var settledVoters: [String]? { agent.settledVoters }

    func change(_ change: MembershipChange, at now: Instant) {
        if Self.flaw != .ignoresMembershipChanges { agent.change(change, at: now) }
    }

    static func frontEnd(_ settings: AgentSettings) -> FlawedFrontEnd { FlawedFrontEnd(inner: SimulatedAgent.frontEnd(settings)) }
}

struct FlawedFrontEnd: RequestFrontEnd {
    var inner: Core.FrontEnd<NoCompression>
    private var first: PublishedState?

    init(inner: Core.FrontEnd<NoCompression>) { self.inner = inner }

    mutating func answer(
        _ request: borrowing HTTPRequest, framing: HTTPFraming, state: PublishedState, now: Instant, date: [UInt8], into out: inout [UInt8]
    ) -> RequestAnswer {
        let answer = inner.answer(request, framing: framing, state: state, now: now, date: date, into: &out)
        // The flaws are looked for in requests as they came.
        if case .routed = answer { return .handOver }
        return answer
    }

    mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> QuestionAnswer {
        if first == nil, state.isLeader || state.lastLeaderContact != nil { first = state }
        let shown = FlawedAgent.flaw == .frozenDNS ? first ?? state : state
        return inner.answer(question: question, tcp: tcp, remote: remote, state: shown, now: now)
    }
}
