import Glibc

@main
enum Main {
    static func main() {
        let dispatcher = Dispatcher.all(startAgent: AgentCommand.run)
        exit(dispatcher.run(Array(CommandLine.arguments.dropFirst()), console: .system, transport: HTTPTransport()))
    }
}
