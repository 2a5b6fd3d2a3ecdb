import Core
import Runtime

/// `consul keygen`. Spec: cli §17.
struct Keygen: Command {
    let name = "keygen"
    let synopsis = "Makes a key that encrypts gossip"
    let usage = """
        Usage: consul keygen

          Makes a random key that encrypts gossip: the value of the setting encrypt, which
          must be the same for all agents.
        """

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        context.output(Base64.encode(SystemRandom.bytes(32)))
        return 0
    }
}
