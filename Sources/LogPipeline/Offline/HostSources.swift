import Glibc
package import IronpostCore
import Sigma

/// What the sources that the configuration asks for bring on this host, as far as can be told without reading them
/// whole: of a file that is there, its end is parsed.
package struct HostSource: Sendable {
    package var name: String
    /// By the number of the event class, the fields that its events have beside those of the class.
    package var classes: [Int: Fields] = [:]
    /// Why it brings nothing, or what is not known of it; empty when all is well.
    package var note = ""
    /// It may bring more than is known.
    package var isOpen = false

    /// Fields that a source adds to those of a class.
    package enum Fields: Sendable, Equatable {
        case named(Set<String>)
        /// Structured data of RFC 5424.
        case structuredData
        /// A journal's own, in capitals.
        case journal

        func contains(_ name: String) -> Bool {
            switch self {
            case .named(let names): names.contains(name)
            case .structuredData: name.hasPrefix("sd_")
            case .journal:
                name.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
            }
        }
    }

    package init(name: String, note: String = "") {
        self.name = name
        self.note = note
    }

    func has(_ field: String, class number: Int) -> Bool {
        let own = EventClasses.fields(of: EventClassID(UInt16(number)))?.contains(field) ?? false
        return own || classes[number]?.contains(field) ?? false
    }
}

package enum HostSources {
    /// Bytes of a file's end that are parsed.
    static let sampleBytes = 256 << 10
    /// Files beyond this many are not looked into.
    static let filesMax = 256
    /// A class of lines in general counts when at least one of so many lines is of it: a stack trace in a syslog file
    /// makes no plain log of it.
    static let shareMin = 10

    package static func find(_ configuration: Configuration, now: Timestamp) -> [HostSource] {
        let log = configuration.logPipeline
        var sources: [HostSource] = []
        if log.isEnabled {
            sources += files(log.followed, but: log.file.exclude, now: now)
            if log.sources.contains(.journald) { sources.append(journal(log.journald)) }
            if log.sources.contains(.syslog) { sources += receivers(log.syslog) }
            if log.sources.contains(.docker) { sources.append(containers(configuration)) }
        }
        sources.append(packets(configuration.ebpf))
        return sources
    }

    private static func files(_ patterns: [String], but excluded: [String], now: Timestamp) -> [HostSource] {
        var sources: [HostSource] = []
        var seen: Set<String> = []
        for pattern in patterns {
            let paths = PathPattern.expand(pattern).filter { path in
                !excluded.contains { PathPattern.matches(path, $0) }
            }
            if paths.isEmpty { sources.append(HostSource(name: pattern, note: "does not exist")) }
            for path in paths where seen.insert(path).inserted {
                guard seen.count <= filesMax else {
                    return sources + [HostSource(name: "\(pattern), …", note: "more than \(filesMax) files")]
                }
                sources.append(file(path, now: now))
            }
        }
        return sources
    }

    static func file(_ path: String, now: Timestamp) -> HostSource {
        var source = HostSource(name: path)
        guard let sample = end(of: path) else {
            source.note = "cannot be read by you"
            source.isOpen = true
            return source
        }
        let found = classes(in: sample, now: now)
        guard !found.isEmpty else {
            for eventClass in byName(path) { source.classes[Int(eventClass.index)] = .structuredData }
            source.isOpen = source.classes.isEmpty
            source.note = source.isOpen ? "empty: nothing is known of it" : "empty so far; by its name"
            return source
        }
        for (number, names) in found { source.classes[number] = .named(names) }
        // Which programs write to it shows over time; that it is syslog shows at once.
        if EventClasses.ofSyslog.contains(where: { found[Int($0.index)] != nil }) {
            for eventClass in EventClasses.ofSyslog { source.classes[Int(eventClass.index)] = .structuredData }
        }
        return source
    }

    /// What a file holds that is called so, on most hosts.
    private static func byName(_ path: String) -> [EventClassID] {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let usual = ["auth.log", "secure", "syslog", "messages", "cron.log", "kern.log", "daemon.log", "user.log"]
        if usual.contains(name) { return EventClasses.ofSyslog }
        if name.contains("access") { return [EventClasses.webAccess] }
        if name.contains("error") { return [EventClasses.webError] }
        return name.hasPrefix("audit") ? [EventClasses.auditd] : []
    }

    /// By class, the names of all fields seen.
    private static func classes(in sample: [UInt8], now: Timestamp) -> [Int: Set<String>] {
        let names = FieldNames(wellKnown: IronpostFields.names)
        var parser = LogParser(fieldNames: names, zone: .host)
        var table = EventTable()
        var counts: [Int: Int] = [:]
        var found: [Int: Set<String>] = [:]
        for line in sample.split(separator: 0x0A) {
            let slice = table.append(bytes: Array(line).span)
            table.beginEvent(line: slice, time: now.nanoseconds, origin: 0, position: 0)
            parser.parse(line: slice, format: .auto, receivedAt: now.nanoseconds, into: &table)
            for event in 0..<table.count {
                let number = Int(table.events[event].eventClass.index)
                counts[number, default: 0] += 1
                for field in table.fields(of: event) {
                    let name = field.id == .unnamed ? table.text(field.name) : names.name(of: field.id)
                    found[number, default: []].insert(name)
                }
            }
            table.removeAll()
        }
        let total = counts.values.reduce(0, +)
        for eventClass in EventClasses.general {
            let number = Int(eventClass.index)
            if (counts[number] ?? 0) * shareMin < total { found[number] = nil }
        }
        return found
    }

    /// Whole lines of a file's end; `nil` when it cannot be read. Never waits: not for a pipe either.
    private static func end(of path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let start = max(0, Int(status.st_size) - sampleBytes)
        var buffer = [UInt8](repeating: 0, count: sampleBytes)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, start) }
        guard count >= 0 else { return nil }
        let bytes = buffer[..<count]
        guard start > 0, let first = bytes.firstIndex(of: 0x0A) else { return Array(bytes) }
        return Array(bytes[(first + 1)...])
    }

    private static func journal(_ options: Configuration.LogPipeline.Journald) -> HostSource {
        var source = HostSource(name: "journald")
        let isThere =
            options.directory.isEmpty
            ? JournalReader.systemHasJournal()
            : ["/*.journal", "/*/*.journal"].contains { !PathPattern.expand(options.directory + $0).isEmpty }
        guard isThere else {
            source.note = options.directory.isEmpty ? "this host has no journal" : "\(options.directory) has no journal"
            return source
        }
        for eventClass in EventClasses.ofSyslog { source.classes[Int(eventClass.index)] = .journal }
        return source
    }

    private static func receivers(_ options: Configuration.LogPipeline.Syslog) -> [HostSource] {
        var names: [String] = []
        if let address = options.udp { names.append("syslog udp \(address)") }
        if let address = options.tcp { names.append("syslog tcp \(address)") }
        if !options.unix.isEmpty { names.append("syslog unix \(options.unix)") }
        return names.map { name in
            var source = HostSource(name: name, note: "if anybody sends to it")
            for eventClass in EventClasses.ofSyslog { source.classes[Int(eventClass.index)] = .structuredData }
            return source
        }
    }

    private static func containers(_ configuration: Configuration) -> HostSource {
        var source = HostSource(name: "container logs")
        if configuration.container.enabled == .off {
            source.note = "container.enabled is off"
        } else if unsafe access(configuration.container.socketInForce, F_OK) != 0 {
            source.note = "there is no container engine at \(configuration.container.socketInForce)"
        } else {
            source.note = "what containers write is not looked into"
            source.isOpen = true
        }
        return source
    }

    private static func packets(_ options: Configuration.EBPF) -> HostSource {
        var source = HostSource(name: "packets")
        guard options.enabled != .off, options.mode != .off else {
            source.note = options.enabled == .off ? "ebpf.enabled is off" : "ebpf.mode is off"
            return source
        }
        source.note = "where the kernel lets it: see doctor"
        for eventClass in [EventClasses.networkConnection, EventClasses.firewall] {
            source.classes[Int(eventClass.index)] = .named([])
        }
        return source
    }
}

/// `Fields`, where another type has that name.
private typealias IronpostFields = Fields
