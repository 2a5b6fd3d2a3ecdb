// swift-tools-version: 6.2
import PackageDescription

// Exclusive access to memory is checked in debug builds, which is what all tests run; release builds trust what the tests have shown.
// The checks cost a fifth of the simulator's speed.
let settings: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

// Release binaries contain Swift's runtime: counting references is a call less far away, which makes everything about 7 % faster, and the
// machine that they run on needs no toolchain.
let linking: [LinkerSetting] = [.unsafeFlags(["-static-stdlib"], .when(configuration: .release))]

// No package dependencies: the toolchain's own modules and two system libraries are all there is.
let package = Package(
    name: "consul",
    products: [
        .executable(name: "consul", targets: ["ConsulAgent"]),
        .executable(name: "consul-sim", targets: ["Simulator"]),
    ],
    dependencies: [],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSystem"),
        .target(name: "Core", swiftSettings: settings),
        .target(name: "Runtime", dependencies: ["Core", "CSystem", "CZlib", "COpenSSL"], swiftSettings: settings),
        .executableTarget(name: "Simulator", dependencies: ["Core"], swiftSettings: settings, linkerSettings: linking),
        .executableTarget(name: "ConsulAgent", dependencies: ["Core", "Runtime"], swiftSettings: settings, linkerSettings: linking),
        .testTarget(name: "CoreTests", dependencies: ["Core"], resources: [.copy("Vectors"), .copy("Transcripts")]),
        .testTarget(name: "RuntimeTests", dependencies: ["Runtime"]),
        .testTarget(name: "SimulatorTests", dependencies: ["Simulator"]),
        .testTarget(name: "ConsulAgentTests", dependencies: ["ConsulAgent"]),
    ],
    swiftLanguageModes: [.v6]
)
