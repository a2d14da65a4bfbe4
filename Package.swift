// swift-tools-version: 6.2
import PackageDescription

let log = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "ironpost",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "ironpost-daemon", targets: ["ironpost-daemon"]),
        .executable(name: "ironpost-responder", targets: ["ironpost-responder"]),
        .executable(name: "ironpost", targets: ["ironpost"]),
        .library(name: "Sigma", targets: ["Sigma"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // What every engine shares, and the ports by which engines meet.
        .target(name: "IronpostCore", dependencies: ["CLinux", "CTOML", log]),
        .target(name: "CLinux"),
        .target(name: "CTOML"),

        // Engines: each depends on Core (and Sigma), never on another engine.
        .target(name: "Sigma", dependencies: ["Yams"]),
        .target(
            name: "LogPipeline",
            dependencies: [
                "IronpostCore", "Sigma", "CLinux", "CSystemd", "CZlib", log,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .target(name: "CPacket"),
        .target(name: "CKernelObject", dependencies: ["CPacket"], linkerSettings: [.linkedLibrary("bpf")]),
        .target(
            name: "EBPFEngine", dependencies: ["IronpostCore", "PacketDetection", "CPacket", "CKernelObject", log]),
        .target(
            name: "PacketDetection",
            dependencies: ["IronpostCore", "CPacket", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "SBOMScanner",
            dependencies: [
                "IronpostCore", "CLinux", "CZlib", "CZstd", log,
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        .target(name: "ContainerEngine", dependencies: ["IronpostCore", "CLinux", log]),

        // What remembers and what shows.
        .target(
            name: "EventStore",
            dependencies: [
                "IronpostCore", log,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        .target(name: "AlertHub", dependencies: ["IronpostCore", log]),

        // What is done about it.
        .target(name: "Response", dependencies: ["IronpostCore", "ContainerEngine", log]),
        .target(
            name: "ControlAPI",
            dependencies: [
                "IronpostCore", "CConsole", "CLinux", log,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .target(name: "CConsole", exclude: ["console.html", "openapi.json"]),

        // The small privileged process: the verbs, and what keeps it alive.
        .target(
            name: "Responder",
            dependencies: [
                "IronpostCore", "ContainerEngine", "Nftables", "EBPFEngine", "PacketDetection", "CLinux", log,
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        .target(name: "Nftables", dependencies: ["IronpostCore", "CNftables"]),
        .target(name: "CNftables"),

        // The composition root, and the programs.
        .target(
            name: "IronpostDaemon",
            dependencies: [
                "IronpostCore", "LogPipeline", "EBPFEngine", "EventStore", "AlertHub", "ContainerEngine", "ControlAPI",
                "Response", "SBOMScanner",
                "CLinux",
                "CSystemd", log,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]
        ),
        .executableTarget(
            name: "ironpost-daemon",
            dependencies: [
                "IronpostDaemon", "IronpostCore", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(name: "ironpost-responder", dependencies: ["Responder", "IronpostCore"]),
        .executableTarget(
            name: "ironpost",
            dependencies: [
                "IronpostCore", "Sigma", "LogPipeline", "PacketDetection", "CPacket", "EBPFEngine", "SBOMScanner",
                "EventStore", "Nftables", "Response", "CLinux", "CZlib",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),

        // Tests: a target for each of ours, the structure, and the built programs as processes.
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "ConfigurationTests", dependencies: ["IronpostCore", log]),
        .testTarget(name: "SigmaTests", dependencies: ["Sigma"]),
        .testTarget(name: "LogPipelineTests", dependencies: ["LogPipeline", "Sigma", "IronpostCore", log]),
        .testTarget(
            name: "SBOMScannerTests", dependencies: ["SBOMScanner", "IronpostCore", "ParserFuzzBodies", log]),
        .target(name: "ParserFuzzBodies", dependencies: ["SBOMScanner"], path: "Tests/ParserFuzz/Bodies"),
        .testTarget(
            name: "EventStoreTests",
            dependencies: [
                "EventStore", "IronpostCore", "CommitRecorder", "CrashReplay",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        .target(name: "CrashReplay", path: "Tests/CrashReplay"),
        .executableTarget(
            name: "CommitRecorder", dependencies: ["EventStore", "IronpostCore"], path: "Tests/CommitRecorder"
        ),
        .testTarget(
            name: "EBPFEngineTests",
            dependencies: ["EBPFEngine", "PacketDetection", "CPacket", "CKernelObject", "IronpostCore", log]
        ),
        .testTarget(name: "PacketDetectionTests", dependencies: ["PacketDetection", "CPacket", "IronpostCore"]),
        .testTarget(name: "ResponseTests", dependencies: ["Response", "EventStore", "IronpostCore", log]),
        .testTarget(name: "NftablesTests", dependencies: ["Nftables", "IronpostCore"]),
        .testTarget(
            name: "ContainerEngineTests",
            dependencies: [
                "ContainerEngine", "Responder", "Response", "IronpostCore", "CLinux", log, "ironpost",
                "ironpost-daemon",
                "ironpost-responder",
            ]
        ),
        .testTarget(name: "AlertHubTests", dependencies: ["AlertHub", "EventStore", "IronpostCore", log]),
        .testTarget(
            name: "ControlAPITests",
            dependencies: [
                "ControlAPI", "IronpostCore", "CLinux", log,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "ironpost", "IronpostCore", "ControlAPI", log,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "ResponderTests", dependencies: ["Responder", "IronpostCore", "CLinux", log]),
        .testTarget(
            name: "SystemTests",
            dependencies: ["ironpost", "ironpost-daemon", "ironpost-responder", "FaultDaemon", "CrashReplay"]
        ),
        .executableTarget(
            name: "FaultDaemon", dependencies: ["IronpostDaemon", "IronpostCore", "CForbiddenActs", log],
            path: "Tests/FaultDaemon"
        ),
        .target(name: "CForbiddenActs", path: "Tests/CForbiddenActs"),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// `make fuzz` alone builds it: libFuzzer brings its own main.
if Context.environment["IRONPOST_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "ParserFuzz", dependencies: ["ParserFuzzBodies"], path: "Tests/ParserFuzz/Program",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

// One place for how all of our Swift is compiled.
for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .enableUpcomingFeature("InferIsolatedConformances"),
            .enableUpcomingFeature("ImmutableWeakCaptures"),
            .strictMemorySafety(),
            .treatAllWarnings(as: .error),
        ]
}

// The programs that are installed carry the Swift runtime: they start in half the time, and need no toolchain there.
// Addresses within them are packed, and no other program links to them: less to do before `main`.
for target in package.targets where ["ironpost", "ironpost-daemon", "ironpost-responder"].contains(target.name) {
    let foundation = [
        "Foundation", "FoundationInternationalization", "FoundationEssentials", "_FoundationICU",
        "_FoundationCShims", "_FoundationCollections", "CoreFoundation", "dispatch", "BlocksRuntime",
    ]
    let linker = ["-z", "pack-relative-relocs", "--no-export-dynamic"].flatMap { ["-Xlinker", $0] }
    target.linkerSettings =
        (target.linkerSettings ?? []) + [
            .unsafeFlags(["-static-stdlib"] + linker, .when(platforms: [.linux], configuration: .release))
        ] + foundation.map { .linkedLibrary($0, .when(platforms: [.linux], configuration: .release)) }
}
