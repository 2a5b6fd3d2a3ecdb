import Core
import Glibc
import Runtime

/// What the configuration asks of the machine.
enum SystemFacts {
    static func environment(_ console: Console) -> ConfigEnvironment {
        ConfigEnvironment(
            hostName: hostName, interfaces: interfaces(), openFilesMax: openFilesMax,
            introToken: console.variable("CONSUL_INTRO_TOKEN") ?? "",
            fileStatus: { path in
                do throws(FileFailure) {
                    switch try Files.kind(path) {
                    case .directory: return .directory
                    case .file: return .file
                    case nil: return .missing
                    }
                } catch {
                    return .failed(error.text)
                }
            })
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// What the limit can be raised to, which the agent does.
    private static var openFilesMax: Int? { Int(clamping: raiseOpenFileLimit()) }

    // MARK: Interfaces

    static func interfaces() -> [InterfaceAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        let defaults = defaultInterfaces()
        var result: [InterfaceAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, let text = text(of: address) else { continue }
            let name = String(cString: entry.pointee.ifa_name)
            let flags = entry.pointee.ifa_flags
            result.append(
                InterfaceAddress(
                    interface: name, address: text, prefixLength: entry.pointee.ifa_netmask.map(prefixLength) ?? 0,
                    isUp: flags & UInt32(IFF_UP) != 0, isLoopback: flags & UInt32(IFF_LOOPBACK) != 0,
                    isDefault: defaults.contains(name)))
        }
        return result
    }

    private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, socklen_t(length), &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        let bytes = buffer.prefix { $0 != 0 && $0 != CChar(bitPattern: UInt8(ascii: "%")) }
        return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func prefixLength(_ mask: UnsafeMutablePointer<sockaddr>) -> Int {
        switch Int32(mask.pointee.sa_family) {
        case AF_INET: return mask.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr.nonzeroBitCount }
        case AF_INET6:
            return mask.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { mask in
                withUnsafeBytes(of: mask.pointee.sin6_addr) { bytes in bytes.reduce(0) { $0 + $1.nonzeroBitCount } }
            }
        default: return 0
        }
    }

    /// The interfaces that have a default route.
    private static func defaultInterfaces() -> [String] {
        var names: [String] = []
        for line in lines(of: "/proc/net/route").dropFirst() {
            let fields = line.split(separator: "\t")
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" { names.append(String(fields[0])) }
        }
        for line in lines(of: "/proc/net/ipv6_route") {
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[0].allSatisfy({ $0 == "0" }), fields[1] == "00", fields[9] != "lo" else { continue }
            names.append(String(fields[9]))
        }
        return names
    }

    private static func lines(of path: String) -> [Substring] {
        String(decoding: (try? Files.read(path)) ?? [], as: UTF8.self).split(separator: "\n")
    }
}
