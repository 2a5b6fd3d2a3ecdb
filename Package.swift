// swift-tools-version: 6.2
import PackageDescription

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
        .target(name: "Core"),
        .target(name: "Runtime", dependencies: ["Core", "CSystem", "CZlib", "COpenSSL"]),
        .executableTarget(name: "Simulator", dependencies: ["Core"]),
        .executableTarget(name: "ConsulAgent", dependencies: ["Core", "Runtime"]),
        .testTarget(name: "CoreTests", dependencies: ["Core"], resources: [.copy("Vectors"), .copy("Transcripts")]),
        .testTarget(name: "RuntimeTests", dependencies: ["Runtime"]),
        .testTarget(name: "SimulatorTests", dependencies: ["Simulator"]),
        .testTarget(name: "ConsulAgentTests", dependencies: ["ConsulAgent"]),
    ],
    swiftLanguageModes: [.v6]
)
