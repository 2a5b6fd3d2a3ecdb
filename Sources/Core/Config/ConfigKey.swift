/// What a configuration key holds. Durations, addresses and the like are strings here and are read by `ConfigBuilder`.
indirect enum ConfigType: Sendable {
    case string
    case bool
    case int
    case uint
    case float
    case strings
    case stringMap
    /// Lists of strings by name, such as the headers of an HTTP check.
    case stringListMap
    case block([ConfigKey])
    case blocks([ConfigKey])
    /// Blocks by name, such as the tagged addresses of a service.
    case namedBlocks([ConfigKey])
    /// A map whose keys are not checked.
    case free
    case freeList
}

/// A key that configuration files may hold. Spec: config §3, §7.
struct ConfigKey: Sendable {
    let name: String
    let type: ConfigType
    /// Other spellings, in lower case; the name goes before them.
    var aliases: [String] = []

    /// Several keys of one type; their names are separated by blanks.
    static func keys(_ type: ConfigType, _ names: String) -> [ConfigKey] {
        names.split(separator: " ").map { ConfigKey(name: String($0), type: type) }
    }
}
