internal import IronpostCore

/// Everything that an index is made of.
struct AdvisoryCollection: Sendable {
    /// By id.
    var records: [String: OSVRecord] = [:]
    /// By CVE: since when (`2025-08-25`).
    var exploited: [String: String] = [:]
    /// By the CVE's number.
    var probabilities: [UInt64: (probability: Float, percentile: Float)] = [:]
}

/// Writes a collection as an index that is read where it lies.
enum IndexWriter {
    private struct Package {
        var ecosystem: String
        var name: String
        var affected: [(advisory: Int, entry: OSVRecord.Affected)] = []
    }

    /// - Parameter created: seconds since 1970.
    static func write(_ collection: AdvisoryCollection, created: Int64) -> [UInt8] {
        var sections = [ByteWriter](repeating: ByteWriter(), count: IndexLayout.Section.allCases.count)
        var texts = TextPool()
        func reference(_ text: TextPool.Reference, into section: IndexLayout.Section) {
            sections[section.rawValue].u32(text.offset)
            sections[section.rawValue].u32(text.count)
        }
        let records = collection.records.values.sorted { $0.advisory.id < $1.advisory.id }
        var packages: [Package] = []
        var places: [String: Int] = [:]
        var newest: Int64 = 0
        var counts: [String: Int] = [:]
        for (index, record) in records.enumerated() {
            newest = max(newest, record.advisory.modified)
            write(record.advisory, collection, &sections, &texts)
            for ecosystem in Set(record.affected.map(\.ecosystem)) { counts[ecosystem, default: 0] += 1 }
            for entry in record.affected {
                let key = entry.ecosystem + "\u{0}" + entry.name
                let place = places[key] ?? packages.count
                if place == packages.count {
                    places[key] = place
                    packages.append(Package(ecosystem: entry.ecosystem, name: entry.name))
                }
                packages[place].affected.append((index, entry))
            }
        }
        for package in packages {
            let first = sections[IndexLayout.Section.affected.rawValue].count / IndexLayout.Section.affected.entryBytes
            reference(texts.add(package.ecosystem), into: .packages)
            reference(texts.add(package.name), into: .packages)
            sections[IndexLayout.Section.packages.rawValue].u32(first)
            sections[IndexLayout.Section.packages.rawValue].u32(package.affected.count)
            for (advisory, entry) in package.affected { write(entry, of: advisory, &sections, &texts) }
        }
        writeSlots(packages.map { IndexLayout.hash($0.ecosystem.utf8, $0.name.utf8) }, &sections)
        for (cve, date) in collection.exploited.sorted(by: { $0.key < $1.key }) {
            reference(texts.add(cve), into: .exploited)
            reference(texts.add(date), into: .exploited)
        }
        for (number, value) in collection.probabilities.sorted(by: { $0.key < $1.key }) {
            sections[IndexLayout.Section.probabilities.rawValue].u64(number)
            sections[IndexLayout.Section.probabilities.rawValue].float(Double(value.probability))
            sections[IndexLayout.Section.probabilities.rawValue].float(Double(value.percentile))
        }
        for (ecosystem, count) in counts.sorted(by: { $0.key < $1.key }) {
            reference(texts.add(ecosystem), into: .ecosystems)
            sections[IndexLayout.Section.ecosystems.rawValue].u32(count)
        }
        sections[IndexLayout.Section.texts.rawValue].raw(texts.bytes)
        return assemble(sections, created: created, newest: newest)
    }

    private static func assemble(_ sections: [ByteWriter], created: Int64, newest: Int64) -> [UInt8] {
        var body = ByteWriter()
        var table = ByteWriter()
        for section in sections {
            table.u32(IndexLayout.headerBytes + body.count)
            table.u32(section.count)
            body.raw(section.bytes)
            // Entries lie on multiples of eight.
            while body.count % 8 != 0 { body.u8(0) }
        }
        var index = ByteWriter()
        index.raw(IndexLayout.magic)
        index.u64(UInt64(bitPattern: created))
        index.u64(UInt64(bitPattern: newest))
        index.u32(Int(Checksum.crc32(body.bytes)))
        index.u32(Int(Checksum.crc32(table.bytes)))
        index.raw(table.bytes)
        index.raw(body.bytes)
        return index.bytes
    }

    private static func write(
        _ advisory: Advisory, _ collection: AdvisoryCollection, _ sections: inout [ByteWriter], _ texts: inout TextPool
    ) {
        func names(_ list: [String]) -> (first: Int, count: Int) {
            let place = IndexLayout.Section.names.rawValue
            let first = sections[place].count / IndexLayout.Section.names.entryBytes
            for name in list {
                let text = texts.add(name)
                sections[place].u32(text.offset)
                sections[place].u32(text.count)
            }
            return (first, list.count)
        }
        let aliases = names(advisory.aliases)
        let upstream = names(advisory.upstream)
        let place = IndexLayout.Section.advisories.rawValue
        func add(_ text: String) {
            let reference = texts.add(text)
            sections[place].u32(reference.offset)
            sections[place].u32(reference.count)
        }
        let cves = advisory.cves
        let exploited = cves.compactMap { collection.exploited[$0] }.min()
        let probability = cves.compactMap(IndexLayout.number(cve:)).compactMap { collection.probabilities[$0] }
            .max { $0.probability < $1.probability }
        add(advisory.id)
        add(advisory.summary)
        add(advisory.vector ?? "")
        add(exploited ?? "")
        sections[place].u32(aliases.first)
        sections[place].u32(aliases.count)
        sections[place].u32(upstream.first)
        sections[place].u32(upstream.count)
        sections[place].u64(UInt64(bitPattern: advisory.modified))
        sections[place].float(advisory.score)
        sections[place].float(probability.map { Double($0.probability) })
        sections[place].float(probability.map { Double($0.percentile) })
        sections[place].u8(advisory.isWithdrawn ? 1 : 0)
        sections[place].u8(advisory.word.map { UInt8($0.rank + 1) } ?? 0)
        sections[place].u16(0)
        // Room for what a later version adds.
        sections[place].u64(0)
    }

    private static func write(
        _ entry: OSVRecord.Affected, of advisory: Int, _ sections: inout [ByteWriter], _ texts: inout TextPool
    ) {
        let scheme = Ecosystem.scheme(osv: entry.ecosystem) ?? .semver
        let eventsPlace = IndexLayout.Section.events.rawValue
        let versionsPlace = IndexLayout.Section.versions.rawValue
        let firstEvent = sections[eventsPlace].count / IndexLayout.Section.events.entryBytes
        var events = 0
        for range in entry.ranges {
            for (place, event) in sorted(range, scheme).enumerated() {
                var flags = event.event.kind.rawValue | (place == 0 ? IndexLayout.rangeStart : 0)
                if event.isBeforeAll { flags |= IndexLayout.isBeforeAll }
                if event.isBehindAll { flags |= IndexLayout.isBehindAll }
                if event.key == nil, !event.isBeforeAll, !event.isBehindAll { flags |= IndexLayout.isUnordered }
                let key = texts.add(event.key?.bytes ?? [])
                let text = texts.add(event.event.version)
                sections[eventsPlace].u32(key.offset)
                sections[eventsPlace].u16(key.count)
                sections[eventsPlace].u16(min(text.count, 0xFFFF))
                sections[eventsPlace].u32(text.offset)
                sections[eventsPlace].u8(flags)
                sections[eventsPlace].u8(0)
                sections[eventsPlace].u16(0)
                events += 1
            }
        }
        let firstVersion = sections[versionsPlace].count / IndexLayout.Section.versions.entryBytes
        let identities = Set(entry.versions)
        for identity in identities.sorted(by: { VersionKey.compare($0, $1) < 0 }) {
            let text = texts.add(identity)
            sections[versionsPlace].u32(text.offset)
            sections[versionsPlace].u32(text.count)
        }
        let place = IndexLayout.Section.affected.rawValue
        sections[place].u32(advisory)
        sections[place].u32(firstEvent)
        sections[place].u32(events)
        sections[place].u32(firstVersion)
        sections[place].u32(identities.count)
        sections[place].u8(scheme.rawValue)
        sections[place].u8(0)
        sections[place].u16(0)
    }

    private struct KeyedEvent {
        var event: OSVRecord.Event
        var key: VersionKey?
        var isBeforeAll: Bool
        var isBehindAll: Bool
    }

    /// As the schema evaluates them: by version; those of the same version as written.
    private static func sorted(_ range: [OSVRecord.Event], _ scheme: VersionScheme) -> [KeyedEvent] {
        let keyed = range.map { event in
            let isBeforeAll = event.kind == .introduced && event.version == "0"
            let isBehindAll = event.kind == .limit && event.version == "*"
            return KeyedEvent(
                event: event, key: isBeforeAll || isBehindAll ? nil : scheme.key(event.version),
                isBeforeAll: isBeforeAll,
                isBehindAll: isBehindAll
            )
        }
        func precedes(_ left: KeyedEvent, _ right: KeyedEvent) -> Bool {
            if left.isBeforeAll || right.isBeforeAll { return left.isBeforeAll && !right.isBeforeAll }
            guard let first = left.key, let second = right.key else { return left.key != nil && right.key == nil }
            return scheme.compare(first, second) < 0
        }
        return keyed.enumerated().sorted { left, right in
            if precedes(left.element, right.element) { return true }
            return !precedes(right.element, left.element) && left.offset < right.offset
        }.map(\.element)
    }

    /// Open addressing: a slot holds a package's place and one, 0 is empty.
    private static func writeSlots(_ hashes: [UInt64], _ sections: inout [ByteWriter]) {
        var size = 16
        while size < hashes.count * 2 { size *= 2 }
        var slots = [Int](repeating: 0, count: size)
        for (package, hash) in hashes.enumerated() {
            var place = Int(truncatingIfNeeded: hash) & (size - 1)
            while slots[place] != 0 { place = (place + 1) & (size - 1) }
            slots[place] = package + 1
        }
        for slot in slots { sections[IndexLayout.Section.slots.rawValue].u32(slot) }
    }
}
