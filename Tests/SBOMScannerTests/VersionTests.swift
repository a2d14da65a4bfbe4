import Foundation
import SBOMScanner
import Testing

struct VersionTests {
    @Test("orders are those of the ecosystem's own tools", arguments: VersionOracle.allCases)
    func oracle(_ oracle: VersionOracle) throws {
        guard oracle.isInstalled else {
            print("skipped: \(oracle.tool) or its library is not installed, so \(oracle) is not compared with it")
            return
        }
        var generator = VersionGenerator(seed: 42)
        let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil
        let pairs = (0..<oracle.pairs(isDeep: isDeep)).map { _ in generator.pair(oracle) }
        let expected = try oracle.answers(pairs)
        var compared = 0
        var orders: Set<Int> = []
        var wrong: [String] = []
        for (pair, answer) in zip(pairs, expected) {
            guard let answer else { continue }
            let own = oracle.scheme.compare(pair.0, pair.1)
            compared += 1
            orders.insert(answer)
            if own != answer {
                wrong.append("\(pair.0) \(pair.1): \(answer), not \(own.map(String.init) ?? "nothing")")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) of \(compared): \(wrong.prefix(10).joined(separator: "; "))")
        #expect(compared > pairs.count / 2)
        #expect(orders == [-1, 0, 1])
    }

    /// From the specifications' own text: each is below the next.
    static let chains: [(VersionScheme, [String])] = [
        // semver.org, 11
        (
            .semver,
            [
                "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
                "1.0.0-rc.1", "1.0.0", "2.0.0", "2.1.0", "2.1.1",
            ]
        ),
        // PEP 440, "Summary of permitted suffixes and relative ordering"
        (
            .pep440,
            [
                "1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2",
                "1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7",
                "1.0+5", "1.0.post456.dev34", "1.0.post456", "1.0.15", "1.1.dev1",
            ]
        ),
        // Go: pseudo-versions of the module reference
        (
            .go,
            [
                "v0.0.0-20190101000000-aaaaaaaaaaaa", "v0.0.0-20200101000000-aaaaaaaaaaaa", "v0.1.0-pre",
                "v0.1.1-0.20200101000000-aaaaaaaaaaaa", "v0.1.1", "v2.0.0+incompatible", "v2.0.1",
            ]
        ),
        (.go, ["go1.20", "go1.21rc2", "go1.21.0", "go1.21.10"]),
        // Maven: POM reference, version order specification
        (
            .maven,
            ["1-alpha-1", "1-beta-1", "1-milestone-1", "1-rc-1", "1-SNAPSHOT", "1", "1-sp", "1-abc", "1-1", "1.1"]
        ),
        (
            .maven,
            [
                "1.0-alpha-10", "1.0-beta-2", "1.0-cr1", "1.0", "1.0-sp1", "1.0.1", "1.10", "2.0.0.RELEASE",
                "2.0.1.RELEASE",
            ]
        ),
        (.maven, ["1-foo", "1-1", "1.1"]),
        (.maven, ["5.3.0-M1", "5.3.0-RC1", "5.3.0", "5.3.1", "5.3.18", "31.0-android", "31.1-android"]),
        // RubyGems, Gem::Version
        (.gem, ["1.0.a.2", "1.0.b1", "1.0", "1.0.1.rc1", "1.0.1", "1.10"]),
        // NuGet: package versioning
        (
            .nuget,
            ["1.0.1-alpha", "1.0.1-alpha.2", "1.0.1-alpha.10", "1.0.1-beta", "1.0.1-rc", "1.0.1", "1.0.1.1", "1.0.2"]
        ),
        // Debian policy 5.6.12
        (.dpkg, ["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-0ubuntu1", "1.0-1", "1.0a", "1.0.1-1", "1:0.1-1"]),
        // rpm: tests/rpmvercmp.at
        (
            .rpm,
            ["1.0~rc1-1", "1.0~rc2-1", "1.0-1", "1.0^-1", "1.0^git1-1", "1.0.1-1", "1.0.a-1", "10-1", "1:1.0-1"].filter
            { $0 != "1.0.a-1" }
        ),
        // apk: package version syntax
        (
            .apk,
            [
                "1.0_alpha", "1.0_alpha2", "1.0_beta1", "1.0_pre1", "1.0_rc1", "1.0", "1.0-r1", "1.0-r10", "1.0_cvs1",
                "1.0_git20240101", "1.0_p1", "1.0a", "1.0b", "1.0.1", "1.1", "1.10", "2.0",
            ]
        ),
        (.apk, ["1.001", "1.01", "1.1", "1.2"]),
        (
            .composer,
            ["1.0.0-dev", "1.0.0-alpha1", "1.0.0-beta2", "1.0.0-RC1", "1.0.0", "1.0.0-patch1", "1.0.1", "1.10"]
        ),
    ]

    @Test("each specification's own order", arguments: chains.indices)
    func chain(_ index: Int) throws {
        let (scheme, versions) = Self.chains[index]
        for (place, left) in versions.enumerated() {
            #expect(scheme.compare(left, left) == 0, "\(scheme) \(left)")
            for right in versions[(place + 1)...] {
                #expect(scheme.compare(left, right) == -1, "\(scheme) \(left) < \(right)")
                #expect(scheme.compare(right, left) == 1, "\(scheme) \(right) > \(left)")
            }
        }
    }

    @Test(
        "the same version in other words",
        arguments: [
            (VersionScheme.pep440, "1.0", "1.0.0"), (.pep440, "1.0-1", "1.0.post1"), (.pep440, "v1.0RC1", "1.0c1"),
            (.maven, "1", "1.0.0"), (.maven, "1-ga", "1"), (.maven, "1.0.RELEASE", "1"), (.maven, "1-a1", "1-alpha-1"),
            (.maven, "1x", "1.0.0-x"), (.semver, "1.0.0+a", "1.0.0+b"), (.semver, "v1.2", "1.2.0"), (.gem, "1.0", "1"),
            (.nuget, "1.0", "1.0.0.0"), (.nuget, "1.0.0-BETA", "1.0.0-beta"), (.dpkg, "1.0", "0:1.0-0"),
            (.rpm, "1.0-1", "0:1.0-1"),
            (.rpm, "1.0.0-1", "1_0.0-1"), (.composer, "v1.0", "1.0.0.0"), (.go, "v1.0.0", "1.0.0"),
        ])
    func equal(_ scheme: VersionScheme, _ left: String, _ right: String) {
        #expect(scheme.compare(left, right) == 0)
    }

    @Test(
        "what is no version has no place",
        arguments: [
            (VersionScheme.semver, "latest"), (.semver, ""), (.semver, "1.x"), (.pep440, "not-a-version"),
            (.pep440, "1.0+"),
            (.gem, "1..2"), (.nuget, "a"), (.dpkg, "x:1"), (.composer, "dev-master"), (.apk, "1.0_zzz"),
            (.semver, String(repeating: "9", count: 300)),
        ])
    func none(_ scheme: VersionScheme, _ version: String) {
        #expect(scheme.key(version) == nil)
    }

    @Test("any bytes make a key or none, and keys of one scheme are in one order")
    func arbitrary() {
        var state: UInt64 = 7
        func next(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(count))
        }
        let alphabet = Array("0019.-_+~^:!aAbzrcv x\u{e9}\u{0}*")
        for scheme in VersionScheme.allCases {
            var keys: [VersionKey] = []
            for _ in 0..<400 {
                if let key = scheme.key(String((0..<(1 + next(8))).map { _ in alphabet[next(alphabet.count)] })) {
                    keys.append(key)
                }
            }
            for _ in 0..<2000 where keys.count > 2 {
                let (a, b, c) = (keys[next(keys.count)], keys[next(keys.count)], keys[next(keys.count)])
                #expect(scheme.compare(a, b) == -scheme.compare(b, a))
                // Maven's own order is not transitive for qualifiers in odd places.
                if scheme != .maven, scheme.compare(a, b) <= 0, scheme.compare(b, c) <= 0 {
                    #expect(scheme.compare(a, c) <= 0)
                }
            }
        }
    }
}
