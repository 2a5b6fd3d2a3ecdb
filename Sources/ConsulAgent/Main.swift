import Glibc
import Runtime

@main
enum Main {
    static func main() {
        FatalSignals.install()
        let dispatcher = Dispatcher.all(startAgent: AgentCommand.run)
        exit(dispatcher.run(Array(CommandLine.arguments.dropFirst()), console: .system, transport: HTTPTransport()))
    }
}
