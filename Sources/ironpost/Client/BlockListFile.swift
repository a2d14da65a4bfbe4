import FoundationEssentials
import IronpostCore

/// Lists of addresses as people have them: plain, of ipset, of nft, of CrowdSec.
enum BlockListFile {
    struct Entry: Equatable {
        var network: IPNetwork
        var ttl: Duration?
    }

    struct Fault: Error, Equatable {
        var line: Int
        var message: String
    }

    static let entriesMax = 1_000_000

    static func read(_ bytes: [UInt8]) throws(Fault) -> [Entry] {
        guard let text = String(validating: withLineFeeds(bytes), as: UTF8.self) else {
            throw Fault(line: 1, message: "is not UTF-8 text")
        }
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { Substring($0) }
        let first = lines.first { !$0.utf8.allSatisfy(isBlank) }?.drop { $0.isWhitespace } ?? ""
        var entries: [Entry]
        if first.hasPrefix("[") || first.hasPrefix("{") {
            entries = try crowdSec(json: bytes)
        } else if text.contains("elements = {") {
            entries = try nft(text)
        } else if first.hasPrefix("create ") || first.hasPrefix("add ") {
            entries = try ipset(lines)
        } else if let header = columns(first), header.contains("value") {
            entries = try crowdSec(lines, header)
        } else {
            entries = try plain(lines)
        }
        guard entries.count <= entriesMax else {
            throw Fault(line: 1, message: "holds more than \(entriesMax) addresses")
        }
        // The last word about an address counts.
        var latest: [IPNetwork: Int] = [:]
        latest.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() { latest[entry.network] = index }
        if latest.count < entries.count {
            entries = entries.enumerated().filter { latest[$0.element.network] == $0.offset }.map(\.element)
        }
        return entries
    }

    /// Every line ends with a line feed alone, wherever the list was written.
    private static func withLineFeeds(_ bytes: [UInt8]) -> [UInt8] {
        let (feed, carriage) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
        guard bytes.contains(carriage) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            if byte == feed, index > 0, bytes[index - 1] == carriage { continue }
            result.append(byte == carriage ? feed : byte)
        }
        return result
    }

    private static func network(_ text: some StringProtocol, line: Int) throws(Fault) -> IPNetwork {
        guard let network = IPNetwork(text) else {
            throw Fault(line: line, message: "\"\(String(text.prefix(64)))\" is no address and no network")
        }
        return network
    }

    /// One a line; what follows a `#`, a `;` or a blank is not read.
    private static func plain(_ lines: [Substring]) throws(Fault) -> [Entry] {
        var entries: [Entry] = []
        for (index, line) in lines.enumerated() {
            // By bytes: lists are long.
            let word = line.utf8.drop(while: isBlank).prefix {
                !isBlank($0) && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: ";")
            }
            if word.isEmpty { continue }
            entries.append(Entry(network: try network(Substring(word), line: index + 1), ttl: nil))
        }
        return entries
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (9...13).contains(byte) }

    /// `add NAME ADDRESS [timeout SECONDS] …`
    private static func ipset(_ lines: [Substring]) throws(Fault) -> [Entry] {
        var entries: [Entry] = []
        for (index, line) in lines.enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let verb = words.first else { continue }
            if verb == "create" || verb.hasPrefix("#") { continue }
            guard verb == "add", words.count >= 3 else {
                throw Fault(line: index + 1, message: "is no line of `ipset save`")
            }
            var ttl: Duration?
            if let at = words.firstIndex(of: "timeout"), at + 1 < words.count, let seconds = Int64(words[at + 1]) {
                ttl = seconds > 0 && seconds <= 365 * 86_400 ? .seconds(seconds) : nil
            }
            entries.append(Entry(network: try network(words[2], line: index + 1), ttl: ttl))
        }
        return entries
    }

    /// `elements = { 203.0.113.7 timeout 1h expires 59m, 10.0.0.0/8, … }`, over several lines.
    private static func nft(_ text: String) throws(Fault) -> [Entry] {
        var entries: [Entry] = []
        var line = 1
        var isInside = false
        var pieces: [(line: Int, text: String)] = []
        var piece = ""
        let opening = "elements = {"
        var rest = text[...]
        while let character = rest.first {
            if character.isNewline { line += 1 }
            if !isInside {
                if rest.hasPrefix(opening) {
                    isInside = true
                    rest = rest.dropFirst(opening.count)
                    continue
                }
            } else if character == "," || character == "}" {
                pieces.append((line, piece))
                piece = ""
                isInside = character == ","
            } else {
                piece.append(character)
            }
            rest = rest.dropFirst()
        }
        for (line, text) in pieces {
            let words = text.split(whereSeparator: \.isWhitespace)
            guard let first = words.first else { continue }
            var ttl: Duration?
            for name in ["expires", "timeout"] where ttl == nil {
                if let at = words.firstIndex(of: Substring(name)), at + 1 < words.count {
                    ttl = DurationText.parse(String(words[at + 1]))
                }
            }
            entries.append(Entry(network: try network(first, line: line), ttl: ttl))
        }
        return entries
    }

    /// The columns of a CSV line without quotes inside values.
    private static func columns(_ line: some StringProtocol) -> [String]? {
        guard line.contains(",") else { return nil }
        return line.split(separator: ",", omittingEmptySubsequences: false).map { column in
            String(column.filter { $0 != "\"" && $0 != "\r" }).trimmed
        }
    }

    /// `cscli decisions list -o raw`: `value` and `duration` by their names in the first line.
    private static func crowdSec(_ lines: [Substring], _ header: [String]) throws(Fault) -> [Entry] {
        guard let value = header.firstIndex(of: "value") else { throw Fault(line: 1, message: "has no column value") }
        let (duration, type, scope) = (
            header.firstIndex(of: "duration") ?? header.firstIndex(of: "expiration"),
            header.firstIndex(of: "type") ?? header.firstIndex(of: "action"), header.firstIndex(of: "scope")
        )
        var entries: [Entry] = []
        var isHeader = true
        for (index, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
            if isHeader {
                isHeader = false
                continue
            }
            guard let cells = columns(line), cells.count > value else {
                throw Fault(line: index + 1, message: "has fewer columns than the first line")
            }
            func cell(_ place: Int?) -> String? { place.flatMap { $0 < cells.count ? cells[$0] : nil } }
            if let type = cell(type), type != "ban" { continue }
            if let scope = cell(scope)?.lowercased(), scope != "ip", scope != "range" { continue }
            let text = cells[value].split(separator: ":", maxSplits: 1)
            let bare = text.count == 2 && ["Ip", "Range"].contains(text[0]) ? String(text[1]) : cells[value]
            entries.append(
                Entry(network: try network(bare, line: index + 1), ttl: cell(duration).flatMap(goDuration)))
        }
        return entries
    }

    private struct Decision: Decodable {
        var value: String
        var type: String?
        var scope: String?
        var duration: String?
        var decisions: [Decision]?
    }

    private struct Alert: Decodable {
        var decisions: [Decision]?
    }

    /// `cscli decisions list -o json` (alerts with decisions inside) and the API's plain list of decisions.
    private static func crowdSec(json bytes: [UInt8]) throws(Fault) -> [Entry] {
        let decoder = JSONDecoder()
        let decisions: [Decision]
        if let alerts = try? decoder.decode([Alert].self, from: Data(bytes)),
            alerts.contains(where: { $0.decisions != nil })
        {
            decisions = alerts.flatMap { $0.decisions ?? [] }
        } else if let plain = try? decoder.decode([Decision].self, from: Data(bytes)) {
            decisions = plain
        } else {
            throw Fault(line: 1, message: "is JSON, and not of CrowdSec's decisions")
        }
        var entries: [Entry] = []
        for decision in decisions where decision.type ?? "ban" == "ban" {
            if let scope = decision.scope?.lowercased(), scope != "ip", scope != "range" { continue }
            entries.append(
                Entry(network: try network(decision.value, line: 1), ttl: decision.duration.flatMap(goDuration)))
        }
        return entries
    }

    /// `3h59m12.5s`, as Go writes it; nothing that has passed.
    private static func goDuration(_ text: String) -> Duration? {
        let whole = text.split(separator: ".").first.map(String.init) ?? text
        let complete = whole == text ? text : whole + "s"
        return DurationText.parse(complete).flatMap { $0 >= .seconds(1) ? $0 : nil }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
