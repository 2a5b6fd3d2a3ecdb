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
               consul-sim planted [--only NAME,...] [--seeds A..B] [--jobs N] [--scenarios FOLDER] [--seconds N] [--json]
               consul-sim swim-study [--members N] [--seed N] [--svg FILE]
               consul-sim check HISTORY

        run     runs a failure scenario
        fuzz    runs many seeds, each with faults of its own, or one scenario with many seeds
        replay  runs one seed of fuzz again
        bench   measures how fast the simulation runs
        planted runs the catalogue of planted bugs (docs/planted-bugs.md): at which seed, by which rule and by which scenario each is found
        swim-study  compares the parts of Lifeguard under slow members; draws a picture of it
        check   judges the history of a real cluster, one operation a line, as the simulator judges its own

        Exit status: 0 when every rule held, 1 when one was broken, 2 when the command line or a scenario is wrong.

        """

    static func main() {
        let status: Int32
        #if PLANTED
            if let name = getenv(PlantedChoice.variable), !PlantedBugs.select(String(cString: name)) {
                writeError("consul-sim: there is no planted bug \"\(String(cString: name))\"\n")
                exit(2)
            }
        #endif
        do {
            status = try Command.parse(Array(CommandLine.arguments.dropFirst())).perform()
        } catch let error as UsageError {
            writeError("consul-sim: \(error.text)\n" + (error.showsUsage ? usage : ""))
            status = 2
        } catch {
            writeError("consul-sim: \(error)\n")
            status = 2
        }
        flushOutput()
        exit(status)
    }
}

/// The command line or a file that it names is wrong.
struct UsageError: Error {
    var text: String
    var showsUsage = false
}

func writeError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        if count < 0 && errno != EINTR { return }
        rest = rest.dropFirst(max(0, count))
    }
}

/// Writes a line to the standard output, sooner or later.
func writeLine(_ text: String) { print(text) }

/// What was written is seen now.
func flushOutput() { fflush(nil) }
