/// Merging of decoded sources. Spec: config §4.
enum ConfigMerge {
    /// Single values and lists of `later` replace or extend those of `earlier`; maps are overlaid by key, blocks member by member.
    static func merge(_ earlier: DynamicValue, _ later: DynamicValue, _ keys: [ConfigKey] = ConfigSchema.root) -> DynamicValue {
        guard case .map(var members) = earlier, case .map(let additions) = later else { return later }
        for addition in additions {
            guard let index = members.firstIndex(where: { $0.name == addition.name }) else {
                members.append(addition)
                continue
            }
            let type = keys.first { $0.name == addition.name }?.type ?? .string
            members[index].value = merge(members[index].value, addition.value, type)
        }
        return .map(members)
    }

    private static func merge(_ earlier: DynamicValue, _ later: DynamicValue, _ type: ConfigType) -> DynamicValue {
        switch (type, earlier, later) {
        case (.block(let keys), _, _): return merge(earlier, later, keys)
        case (_, .array(let a), .array(let b)): return .array(a + b)
        case (_, .map(var members), .map(let additions)):
            for addition in additions {
                if let index = members.firstIndex(where: { $0.name == addition.name }) {
                    members[index].value = addition.value
                } else {
                    members.append(addition)
                }
            }
            return .map(members)
        default: return later
        }
    }
}
