internal import Glibc

/// Scores of CVSS vectors, computed from the vector: versions 2, 3.0, 3.1 and 4.0.
package enum CVSS {
    private static let vectorBytesMax = 512

    /// The base score (of version 4 with the threat metric), 0 to 10; `nil` for what is no complete vector.
    package static func score(_ vector: String) -> Double? {
        guard vector.utf8.count <= vectorBytesMax else { return nil }
        var metrics: [String: String] = [:]
        var text = vector[...]
        var version = 2
        if vector.hasPrefix("CVSS:") {
            guard let slash = vector.firstIndex(of: "/") else { return nil }
            switch vector[..<slash] {
            case "CVSS:3.0": version = 30
            case "CVSS:3.1": version = 31
            case "CVSS:4.0": version = 4
            default: return nil
            }
            text = vector[vector.index(after: slash)...]
        }
        if text.first == "(", text.last == ")" { text = text.dropFirst().dropLast() }
        for part in text.split(separator: "/") {
            let halves = part.split(separator: ":")
            guard halves.count == 2, metrics.updateValue(String(halves[1]), forKey: String(halves[0])) == nil else {
                return nil
            }
        }
        switch version {
        case 2: return second(metrics)
        case 4: return CVSS4(metrics)?.score
        default: return third(metrics, version)
        }
    }

    private static func second(_ metrics: [String: String]) -> Double? {
        func value(_ name: String, _ values: [String: Double]) -> Double? { metrics[name].flatMap { values[$0] } }
        let impacts = ["N": 0.0, "P": 0.275, "C": 0.660]
        guard let vector = value("AV", ["L": 0.395, "A": 0.646, "N": 1.0]),
            let complexity = value("AC", ["H": 0.35, "M": 0.61, "L": 0.71]),
            let authentication = value("Au", ["M": 0.45, "S": 0.56, "N": 0.704]),
            let c = value("C", impacts), let i = value("I", impacts), let a = value("A", impacts)
        else { return nil }
        let impact = 10.41 * (1 - (1 - c) * (1 - i) * (1 - a))
        let exploitability = 20 * vector * complexity * authentication
        let score = (0.6 * impact + 0.4 * exploitability - 1.5) * (impact == 0 ? 0 : 1.176)
        return (score * 10).rounded() / 10
    }

    private static func third(_ metrics: [String: String], _ version: Int) -> Double? {
        func value(_ name: String, _ values: [String: Double]) -> Double? { metrics[name].flatMap { values[$0] } }
        let impacts = ["N": 0.0, "L": 0.22, "H": 0.56]
        guard let scope = metrics["S"], scope == "U" || scope == "C" else { return nil }
        let isChanged = scope == "C"
        let privileges = isChanged ? ["N": 0.85, "L": 0.68, "H": 0.5] : ["N": 0.85, "L": 0.62, "H": 0.27]
        guard let vector = value("AV", ["N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2]),
            let complexity = value("AC", ["L": 0.77, "H": 0.44]), let privilege = value("PR", privileges),
            let interaction = value("UI", ["N": 0.85, "R": 0.62]),
            let c = value("C", impacts), let i = value("I", impacts), let a = value("A", impacts)
        else { return nil }
        let base = 1 - (1 - c) * (1 - i) * (1 - a)
        let impact = isChanged ? 7.52 * (base - 0.029) - 3.25 * pow(base - 0.02, 15) : 6.42 * base
        guard impact > 0 else { return 0 }
        let exploitability = 8.22 * vector * complexity * privilege * interaction
        let sum = min((isChanged ? 1.08 : 1) * (impact + exploitability), 10)
        return roundedUp(sum, version)
    }

    /// 3.1 says how to round so that every machine gets the same.
    private static func roundedUp(_ value: Double, _ version: Int) -> Double {
        guard version == 31 else { return (value * 10 - 1e-9).rounded(.up) / 10 }
        let scaled = Int((value * 100_000).rounded())
        return scaled % 10_000 == 0 ? Double(scaled) / 100_000 : (Double(scaled / 10_000) + 1) / 10
    }
}

/// CVSS 4.0: a vector's group (its macro vector) has a score; within the group it falls towards the next one.
private struct CVSS4 {
    private let metrics: [String: String]

    private static let required = ["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"]
    private static let allowed: [String: String] = [
        "AV": "NALP", "AC": "LH", "AT": "NP", "PR": "NLH", "UI": "NPA", "VC": "HLN", "VI": "HLN", "VA": "HLN",
        "SC": "HLN", "SI": "HLN", "SA": "HLN",
    ]

    init?(_ metrics: [String: String]) {
        for name in Self.required {
            guard let value = metrics[name], value.count == 1, Self.allowed[name]?.contains(value) == true else {
                return nil
            }
        }
        self.metrics = metrics
    }

    /// As modified for an environment, if it is; what is not said counts at its worst.
    private func value(_ name: String) -> String {
        if let modified = metrics["M" + name], modified != "X" { return modified }
        let own = metrics[name] ?? "X"
        guard own == "X" else { return own }
        return name == "E" ? "A" : "H"
    }

    /// 0 is the worst; the order of each metric's values.
    private static let orders: [String: String] = [
        "AV": "NALP", "PR": "NLH", "UI": "NPA", "AC": "LH", "AT": "NP", "VC": "HLN", "VI": "HLN", "VA": "HLN",
        "SC": "SHLN", "SI": "SHLN", "SA": "SHLN", "CR": "HML", "IR": "HML", "AR": "HML",
    ]

    private static func level(_ name: String, _ value: String) -> Int {
        let order = orders[name] ?? ""
        return order.firstIndex(of: Character(value)).map { order.distance(from: order.startIndex, to: $0) } ?? 0
    }

    /// Group by group: exploitability, complexity, vulnerable system with requirements, subsequent systems, threat.
    private struct Macro: Hashable {
        var eq1: Int
        var eq2: Int
        /// (0,0), (0,1), (1,0), (1,1), (2,1) of the groups 3 and 6.
        var eq36: Int
        var eq4: Int
        var eq5: Int

        var score: Double? {
            guard eq1 < 3, eq2 < 2, eq36 < 5, eq4 < 3, eq5 < 3 else { return nil }
            return Double(CVSS4.scores[(((eq1 * 2 + eq2) * 5 + eq36) * 3 + eq4) * 3 + eq5]) / 10
        }
    }

    private var macro: Macro {
        let isNetwork = value("AV") == "N"
        let needsNone = value("PR") == "N"
        let isSilent = value("UI") == "N"
        let eq1 =
            isNetwork && needsNone && isSilent ? 0 : (isNetwork || needsNone || isSilent) && value("AV") != "P" ? 1 : 2
        let eq2 = value("AC") == "L" && value("AT") == "N" ? 0 : 1
        let (c, i, a) = (value("VC") == "H", value("VI") == "H", value("VA") == "H")
        let eq3 = c && i ? 0 : c || i || a ? 1 : 2
        let eq6 = (value("CR") == "H" && c) || (value("IR") == "H" && i) || (value("AR") == "H" && a) ? 0 : 1
        let isSafety = value("SI") == "S" || value("SA") == "S"
        let eq4 = isSafety ? 0 : value("SC") == "H" || value("SI") == "H" || value("SA") == "H" ? 1 : 2
        let eq5 = value("E") == "A" ? 0 : value("E") == "P" ? 1 : 2
        return Macro(eq1: eq1, eq2: eq2, eq36: eq3 == 2 ? 4 : eq3 * 2 + eq6, eq4: eq4, eq5: eq5)
    }

    private typealias Vector = [String: String]

    /// The worst vectors of each group; a vector's distance is counted from the one that is worse in nothing less.
    private static let worst1: [[Vector]] = [
        [["AV": "N", "PR": "N", "UI": "N"]],
        [
            ["AV": "A", "PR": "N", "UI": "N"], ["AV": "N", "PR": "L", "UI": "N"], ["AV": "N", "PR": "N", "UI": "P"],
        ],
        [["AV": "P", "PR": "N", "UI": "N"], ["AV": "A", "PR": "L", "UI": "P"]],
    ]
    private static let worst2: [[Vector]] = [
        [["AC": "L", "AT": "N"]], [["AC": "H", "AT": "N"], ["AC": "L", "AT": "P"]],
    ]
    private static let worst36: [[Vector]] = [
        ["HHHHHH"], ["HHLMMH", "HHHMMM"], ["LHHHHH", "HLHHHH"], ["LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM"],
        ["LLLHHH"],
    ].map { group in
        group.map { text in
            Dictionary(uniqueKeysWithValues: zip(["VC", "VI", "VA", "CR", "IR", "AR"], text.map { String($0) }))
        }
    }
    private static let worst4: [[Vector]] = [
        [["SC": "H", "SI": "S", "SA": "S"]], [["SC": "H", "SI": "H", "SA": "H"]], [["SC": "L", "SI": "L", "SA": "L"]],
    ]
    private static let depth1 = [1, 4, 5]
    private static let depth2 = [1, 2]
    private static let depth36 = [7, 6, 8, 8, 10]
    private static let depth4 = [6, 5, 4]

    /// Steps from the group's worst vector that is at least as bad in everything.
    private func distance(_ candidates: [Vector]) -> Int {
        for candidate in candidates {
            let steps = candidate.map { Self.level($0.key, value($0.key)) - Self.level($0.key, $0.value) }
            if steps.allSatisfy({ $0 >= 0 }) { return steps.reduce(0, +) }
        }
        return 0
    }

    var score: Double? {
        guard ["VC", "VI", "VA", "SC", "SI", "SA"].contains(where: { value($0) != "N" }) else { return 0 }
        let macro = macro
        guard let own = macro.score else { return nil }
        var falls: [Double] = []
        func fall(_ next: [Macro], _ distance: Int, _ depth: Int) {
            guard let lower = next.compactMap(\.score).max() else { return }
            falls.append((own - lower) * Double(distance) / Double(depth))
        }
        func moved(_ change: (inout Macro) -> Void) -> Macro {
            var next = macro
            change(&next)
            return next
        }
        fall([moved { $0.eq1 += 1 }], distance(Self.worst1[macro.eq1]), Self.depth1[macro.eq1])
        fall([moved { $0.eq2 += 1 }], distance(Self.worst2[macro.eq2]), Self.depth2[macro.eq2])
        let next36 = [[1, 2], [3], [3], [4], []][macro.eq36]
        fall(
            next36.map { place in moved { $0.eq36 = place } }, distance(Self.worst36[macro.eq36]),
            Self.depth36[macro.eq36])
        fall([moved { $0.eq4 += 1 }], distance(Self.worst4[macro.eq4]), Self.depth4[macro.eq4])
        fall([moved { $0.eq5 += 1 }], 0, 1)
        let mean = falls.isEmpty ? 0 : falls.reduce(0, +) / Double(falls.count)
        let score = min(max(own - mean, 0), 10)
        return ((score + 1e-9) * 10).rounded() / 10
    }

    /// Tenths, in the order of `Macro`'s parts (FIRST, CVSS 4.0 specification, table of macro vectors).
    private static let scores: [UInt8] = [
        100, 98, 95, 100, 93, 91, 93, 89, 81, 99, 95, 92, 96, 87, 81, 90, 80, 68,
        98, 95, 90, 93, 89, 81, 88, 78, 69, 95, 92, 84, 92, 81, 65, 80, 70, 48,
        92, 82, 72, 79, 69, 50, 69, 55, 27, 99, 95, 92, 95, 90, 84, 92, 82, 72,
        97, 92, 85, 91, 83, 71, 81, 71, 53, 95, 92, 85, 92, 80, 70, 84, 71, 50,
        93, 85, 73, 82, 72, 59, 70, 52, 30, 86, 75, 52, 71, 52, 29, 63, 29, 17,
        98, 94, 91, 94, 86, 77, 87, 74, 63, 95, 87, 81, 89, 74, 64, 75, 63, 49,
        94, 88, 76, 86, 74, 59, 72, 57, 52, 89, 77, 67, 76, 58, 50, 57, 52, 25,
        83, 70, 54, 65, 58, 26, 53, 21, 13, 95, 88, 76, 90, 75, 61, 77, 68, 52,
        90, 76, 70, 77, 62, 53, 66, 59, 30, 89, 76, 62, 74, 57, 47, 61, 57, 24,
        78, 67, 58, 59, 57, 23, 52, 29, 16, 71, 59, 30, 58, 26, 15, 23, 13, 6,
        93, 86, 75, 86, 74, 56, 70, 52, 40, 87, 72, 58, 74, 61, 34, 54, 40, 22,
        85, 74, 62, 72, 55, 46, 53, 34, 19, 75, 55, 51, 57, 41, 19, 36, 19, 8,
        64, 51, 20, 47, 21, 11, 24, 9, 4, 88, 73, 60, 73, 59, 41, 54, 45, 20,
        75, 53, 50, 55, 40, 20, 43, 22, 11, 75, 58, 40, 61, 48, 20, 46, 17, 8,
        55, 45, 21, 51, 18, 9, 18, 7, 2, 53, 24, 14, 24, 12, 5, 10, 3, 1,
    ]
}
