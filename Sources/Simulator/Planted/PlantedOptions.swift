/// What `consul-sim planted` is asked to do.
struct PlantedOptions: Equatable {
    /// Names of planted bugs; empty for all.
    var only: [String] = []
    var first: UInt64 = 1
    var last: UInt64 = 2000
    var jobs = 1
    /// The folder of the scenarios that are tried beside; nil for none.
    var scenarios: String?
    /// Seconds that are spent on the seeds of one bug at most; 0 for as long as they take.
    var seconds = 0.0
    var json = false
}

/// Which planted bug a process makes: it inherits the choice from the process that started it.
enum PlantedChoice {
    static let variable = "CONSUL_SIM_PLANTED"

    static let howToBuild = """
        consul-sim planted needs a build in which the bugs are:
          make planted
        or
          swift build -c release --product consul-sim -Xswiftc -DPLANTED --scratch-path .build/planted
        """
}
