/// A named value, in the order in which it was found.
package struct Field: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a person, an output or a script gets to know of something that happened: contract, section 5.
package struct Alert: Sendable, Hashable {
    package enum Status: String, Sendable, CaseIterable {
        case open, acknowledged, closed
    }

    package var id: UUIDv7
    /// When it was stored; `--since` and retention go by this.
    package var time: Timestamp
    package var severity: Severity
    package var title: String
    package var description: String
    /// The module that decided.
    package var source: String
    package var rule: RuleReference
    package var node: String
    package var event: EventRecord
    package var evidence: Evidence
    /// The values by which a correlation or deduplication counted, as in `src_ip=203.0.113.7`.
    package var group: [Field]
    /// Events behind this alert, at least 1.
    package var count: Int
    package var firstSeen: Timestamp
    package var lastSeen: Timestamp
    package var status: Status
    package var srcIP: String?
    package var dstIP: String?
    /// How it is known that `srcIP` acted; `nil` when a stranger could have written it.
    package var srcIPProof: AddressProof?
    package var process: ProcessReference?
    package var container: ContainerReference?
    package var traceID: String
    /// The configuration generation under which it was decided.
    package var generation: Int
    package var labels: [String: String]
    /// For a correlation: the events that made it, newest last, at most `membersMax`.
    package var members: [CorrelationMember]

    package static let membersMax = 100
    /// Of the label that says why no container is named.
    package static let attributionLabel = "attribution"

    package init(
        id: UUIDv7, time: Timestamp, severity: Severity, title: String, description: String, source: String,
        rule: RuleReference, node: String, event: EventRecord, evidence: Evidence, group: [Field] = [],
        count: Int = 1, firstSeen: Timestamp, lastSeen: Timestamp, status: Status = .open, srcIP: String? = nil,
        dstIP: String? = nil, srcIPProof: AddressProof? = nil, process: ProcessReference? = nil,
        container: ContainerReference? = nil,
        traceID: String, generation: Int, labels: [String: String] = [:], members: [CorrelationMember] = []
    ) {
        self.id = id
        self.time = time
        self.severity = severity
        self.title = title
        self.description = description
        self.source = source
        self.rule = rule
        self.node = node
        self.event = event
        self.evidence = evidence
        self.group = group
        self.count = count
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
        self.status = status
        self.srcIP = srcIP
        self.dstIP = dstIP
        self.srcIPProof = srcIPProof
        self.process = process
        self.container = container
        self.traceID = traceID
        self.generation = generation
        self.labels = labels
        self.members = members
    }
}

/// The rule that decided, with what its licence asks to be kept (Detection Rule License 1.1: the author).
package struct RuleReference: Sendable, Hashable {
    package var id: String
    package var title: String
    package var author: String?
    /// The rule's own word.
    package var level: String
    package var tags: [String]
    package var references: [String]
    package var license: String?

    package init(
        id: String, title: String, author: String? = nil, level: String, tags: [String] = [],
        references: [String] = [], license: String? = nil
    ) {
        self.id = id
        self.title = title
        self.author = author
        self.level = level
        self.tags = tags
        self.references = references
        self.license = license
    }
}

/// An event as detection saw it.
package struct EventRecord: Sendable, Hashable {
    package var time: Timestamp
    package var fields: [Field]

    package init(time: Timestamp, fields: [Field]) {
        self.time = time
        self.fields = fields
    }

    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }
}

/// Where the proof lies: the exact line, and how to find it again.
package struct Evidence: Sendable, Hashable {
    /// The source's name: `file`, `journald`, `syslog_udp`, ….
    package var source: String
    package var file: String?
    package var inode: UInt64?
    /// Bytes from the start of the file to the line.
    package var offset: UInt64?
    /// The line's number, from 1; `nil` where the file was not read from its start.
    package var line: UInt64?
    /// A journal's cursor or a network peer.
    package var place: String?
    /// The line, cut at `rawBytesMax`.
    package var raw: String
    /// SHA-256 of the whole line's bytes, without its line feed, in hexadecimal.
    package var sha256: String

    package static let rawBytesMax = 8192

    package init(
        source: String, file: String? = nil, inode: UInt64? = nil, offset: UInt64? = nil, line: UInt64? = nil,
        place: String? = nil, raw: String, sha256: String
    ) {
        self.source = source
        self.file = file
        self.inode = inode
        self.offset = offset
        self.line = line
        self.place = place
        self.raw = raw
        self.sha256 = sha256
    }
}

/// One event of a correlation.
package struct CorrelationMember: Sendable, Hashable {
    package var time: Timestamp
    package var file: String?
    package var offset: UInt64?

    package init(time: Timestamp, file: String?, offset: UInt64?) {
        self.time = time
        self.file = file
        self.offset = offset
    }
}

package struct ProcessReference: Sendable, Hashable {
    package var pid: Int
    package var exe: String?
    package var cmdline: String?
    package var unit: String?
    package var uid: Int?

    package init(pid: Int, exe: String? = nil, cmdline: String? = nil, unit: String? = nil, uid: Int? = nil) {
        self.pid = pid
        self.exe = exe
        self.cmdline = cmdline
        self.unit = unit
        self.uid = uid
    }
}

package struct ContainerReference: Sendable, Hashable {
    package var id: String
    package var name: String
    package var image: String
    /// What ties the event to the container: `cgroup`, `netns`, `log_stream`, ….
    package var proof: String

    package init(id: String, name: String, image: String, proof: String) {
        self.id = id
        self.name = name
        self.image = image
        self.proof = proof
    }
}
