import Core
import Glibc

/// `consul-sim`: runs the cluster in a simulated world, where everything that happens follows from a seed.
@main
struct ConsulSim {
    static let usage = """
        usage: consul-sim run FILE [--seed N] [--trace] [--json]
               consul-sim fuzz --seeds A..B [--jobs N] [--scenario FILE] [--json]
               consul-sim replay SEED [--trace] [--json]
               consul-sim bench

        run     runs a failure scenario
        fuzz    runs many seeds, each with faults of its own, or one scenario with many seeds
        replay  runs one seed of fuzz again
        bench   measures how fast the simulation runs

        Exit status: 0 when every rule held, 1 when one was broken, 2 when the command line or a scenario is wrong.

        """

    static func main() {
        setvbuf(stdout, nil, _IOFBF, 1 << 16)
        let status: Int32
        do {
            status = try Command.parse(Array(CommandLine.arguments.dropFirst())).perform()
        } catch let error as UsageError {
            writeError("consul-sim: \(error.text)\n" + (error.showsUsage ? usage : ""))
            status = 2
        } catch {
            writeError("consul-sim: \(error)\n")
            status = 2
        }
        fflush(stdout)
        exit(status)
    }
}

/// The command line or a file that it names is wrong.
struct UsageError: Error {
    var text: String
    var showsUsage = false
}

func writeError(_ text: String) { fputs(text, stderr) }

/// Writes a line to the standard output.
func writeLine(_ text: String) {
    fputs(text, stdout)
    fputs("\n", stdout)
}
