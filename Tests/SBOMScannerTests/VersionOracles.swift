import Foundation
import SBOMScanner

/// Who decides how two versions of an ecosystem compare: its own tools.
enum VersionOracle: String, CaseIterable {
    case dpkg, dpkgPerl, gem, npm, pep440, rpm, composer

    var scheme: VersionScheme {
        switch self {
        case .dpkg, .dpkgPerl: .dpkg
        case .gem: .gem
        case .npm: .npm
        case .pep440: .pep440
        case .rpm: .rpm
        case .composer: .composer
        }
    }

    /// Reads pairs with a tab between, writes -1, 0 or 1 a line; `x` for what it takes for no version.
    private var program: (name: String, arguments: [String]) {
        switch self {
        case .dpkg:
            // A process a pair: dpkg has no other way. Only pairs that it calls valid.
            (
                "bash",
                [
                    "-c",
                    #"""
                    while IFS=$'\t' read -r a b; do
                        if dpkg --compare-versions "$a" lt "$b" 2>/dev/null; then echo -1
                        elif dpkg --compare-versions "$a" eq "$b" 2>/dev/null; then echo 0
                        else echo 1; fi
                    done
                    """#,
                ]
            )
        case .dpkgPerl:
            // dpkg's own comparison in Perl: all pairs in one process.
            (
                "perl",
                [
                    "-MDpkg::Version", "-ne",
                    #"chomp; my ($a, $b) = split /\t/; my $r = eval { version_compare($a, $b) }; print defined $r ? $r : 'x', "\n""#,
                ]
            )
        case .gem:
            (
                "ruby",
                [
                    "-e",
                    #"STDIN.each_line { |l| a, b = l.chomp.split("\t"); begin; puts(Gem::Version.new(a) <=> Gem::Version.new(b)); rescue ArgumentError; puts "x"; end }"#,
                ]
            )
        case .npm:
            (
                "node",
                [
                    "-e",
                    #"const s = { compare: require('/usr/share/nodejs/semver/functions/compare'), valid: require('/usr/share/nodejs/semver/functions/valid') }; for (const l of require('fs').readFileSync(0, 'utf8').split('\n')) { if (!l) continue; const [a, b] = l.split('\t'); console.log(s.valid(a) && s.valid(b) ? s.compare(a, b) : 'x') }"#,
                ]
            )
        case .pep440:
            (
                "/usr/bin/python3",
                [
                    "-c",
                    """
                    import sys
                    from packaging.version import Version, InvalidVersion
                    for line in sys.stdin:
                        a, b = line.rstrip("\\n").split("\\t")
                        try: a, b = Version(a), Version(b)
                        except InvalidVersion: print("x"); continue
                        print((a > b) - (a < b))
                    """,
                ]
            )
        case .rpm:
            (
                "/usr/bin/python3",
                [
                    "-c",
                    """
                    import rpm, sys
                    def evr(v):
                        e, _, rest = v.rpartition(":")
                        v, _, r = rest.rpartition("-") if "-" in rest else (rest, "", "")
                        return (e or "0", v, r)
                    for line in sys.stdin:
                        a, b = line.rstrip("\\n").split("\\t")
                        print(rpm.labelCompare(evr(a), evr(b)))
                    """,
                ]
            )
        case .composer:
            (
                "php",
                [
                    "-r",
                    #"""
                    require "/usr/share/php/Composer/Semver/autoload.php";
                    use Composer\Semver\Comparator; use Composer\Semver\VersionParser;
                    $p = new VersionParser();
                    while (($l = fgets(STDIN)) !== false) {
                        [$a, $b] = explode("\t", rtrim($l, "\n"));
                        try { $a = $p->normalize($a); $b = $p->normalize($b); } catch (Exception $e) { echo "x\n"; continue; }
                        echo version_compare($a, $b), "\n";
                    }
                    """#,
                ]
            )
        }
    }

    var tool: String { program.name }

    var isInstalled: Bool {
        guard Tool.isInstalled(tool) else { return false }
        return (try? answers([("1.0", "1.0")])) != nil
    }

    /// How many pairs are asked: a process each makes dpkg slow.
    func pairs(isDeep: Bool) -> Int { isDeep ? 20_000 : self == .dpkg ? 2_000 : 20_000 }

    func answers(_ pairs: [(String, String)]) throws -> [Int?] {
        let input = pairs.map { "\($0.0)\t\($0.1)\n" }.joined()
        let output = try Tool.run(program.name, program.arguments, input: input)
        let lines = output.split(separator: "\n").map { Int($0) }
        guard lines.count == pairs.count else {
            throw Tool.Failure(text: "\(lines.count) answers to \(pairs.count) pairs")
        }
        return lines
    }
}

/// Versions that look like an ecosystem's, near each other, so that every rule of the order decides some pair.
struct VersionGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func next(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(count))
    }

    private mutating func pick<Element>(_ list: [Element]) -> Element { list[next(list.count)] }

    private mutating func number() -> String {
        pick(["0", "1", "2", "3", "9", "10", "11", "100", "20240101", "123456789012345678"])
    }

    private mutating func numbers(_ count: ClosedRange<Int>) -> String {
        (0..<(count.lowerBound + next(count.count))).map { _ in next(4) == 0 ? number() : pick(["0", "1", "2"]) }
            .joined(separator: ".")
    }

    mutating func version(_ oracle: VersionOracle) -> String {
        switch oracle {
        case .npm:
            var text = (0..<3).map { _ in pick(["0", "1", "2", "10", "11"]) }.joined(separator: ".")
            if next(2) == 0 {
                let parts = (0...next(3)).map { _ in
                    pick(["alpha", "beta", "rc", "0", "1", "2", "10", "a-b", "x1", "Z", "-"])
                }
                text += "-" + parts.joined(separator: ".")
            }
            if next(5) == 0 { text += "+build." + number() }
            if next(8) == 0 { text = "v" + text }
            return text
        case .pep440:
            var text = next(8) == 0 ? "1!" : ""
            text += numbers(1...4)
            if next(3) == 0 {
                text += pick(["a", "b", "rc", "alpha", ".beta", "-c", "_pre", "preview"]) + pick(["", "0", "1", "10"])
            }
            if next(4) == 0 { text += pick([".post", "-", "-post", ".rev", "r"]) + pick(["1", "2", "10"]) }
            if next(4) == 0 { text += pick([".dev", "dev", "-dev", "_dev"]) + pick(["", "0", "1", "10"]) }
            if next(5) == 0 { text += "+" + pick(["local", "1", "ubuntu.1", "a-b", "1.2", "10.abc"]) }
            return next(10) == 0 ? text.uppercased() : text
        case .gem:
            var text = numbers(1...4)
            for _ in 0..<next(3) {
                text += pick([".pre", ".a", ".b1", ".rc", "a", ".0", "-1", ".beta.2", ".0.b", ".x.0.y"])
            }
            return text
        case .dpkg, .dpkgPerl:
            var text = next(6) == 0 ? pick(["0:", "1:", "2:"]) : ""
            text += numbers(1...3)
            for _ in 0..<next(3) {
                text += pick(["~rc1", "~", "+b1", "+dfsg", "a", "b", ".", "~~", "+deb12u1", "z", "0"])
            }
            if next(3) != 0 { text += "-" + pick(["1", "2", "0", "1.1", "1~bpo12+1", "0ubuntu1", "10", "1+b2"]) }
            return text
        case .rpm:
            var text = next(6) == 0 ? pick(["0:", "1:", "2:"]) : ""
            text += numbers(1...3)
            for _ in 0..<next(3) { text += pick(["~rc1", "~", "^git1", "^", "a", ".b", "_1", ".", "p1", "rc", "..2"]) }
            return text + "-" + pick(["1", "2.el9", "10.el9_2", "1.fc39", "0.1", "3.module+el8"])
        case .composer:
            var text = pick(["", "", "v"]) + numbers(1...4)
            if next(2) == 0 {
                text +=
                    pick(["-", "."]) + pick(["alpha", "beta", "RC", "a", "b", "patch", "p", "pl", "stable"])
                    + pick(["", "1", "2", ".10"])
            }
            if next(8) == 0 { text += "-dev" }
            return text
        }
    }

    mutating func pair(_ oracle: VersionOracle) -> (String, String) {
        let first = version(oracle)
        // Often a small change of the same version.
        guard next(3) == 0 else { return (first, version(oracle)) }
        return (first, first + pick([".0", "0", ".1", "1", "-1", ""]))
    }
}
