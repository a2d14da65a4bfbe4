/// An alert as JSON: one shape in the store, the API, outputs and commands (contract, section 5).
package struct AlertDocument: Codable, Sendable, Equatable {
    package var id: String
    package var time: String
    package var severity: String
    package var title: String
    package var description: String
    package var source: String
    package var rule: Rule
    package var node: String
    package var event: Event
    package var evidence: EvidenceDocument
    package var group: [String: String]
    package var count: Int
    package var firstSeen: String
    package var lastSeen: String
    package var status: String
    package var srcIP: String?
    package var dstIP: String?
    package var srcIPProof: Proof?
    package var process: Process?
    package var container: Container?
    package var traceID: String
    package var generation: Int
    package var labels: [String: String]
    package var members: [Member]?

    enum CodingKeys: String, CodingKey {
        case id, time, severity, title, description, source, rule, node, event, evidence, group, count
        case firstSeen = "first_seen"
        case lastSeen = "last_seen"
        case status
        case srcIP = "src_ip"
        case dstIP = "dst_ip"
        case srcIPProof = "src_ip_proof"
        case process, container
        case traceID = "trace_id"
        case generation, labels, members
    }

    package struct Rule: Codable, Sendable, Equatable {
        package var id: String
        package var title: String
        package var author: String?
        package var level: String
        package var tags: [String]
        package var references: [String]
        package var license: String?
    }

    /// `{"time": …, "<field>": …}`; a field that occurs several times is a list.
    package struct Event: Codable, Sendable, Equatable {
        package var time: String
        package var fields: [Field]

        package init(time: String, fields: [Field]) {
            self.time = time
            self.fields = fields
        }

        private struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(_ name: String) { stringValue = name }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            time = try container.decodeIfPresent(String.self, forKey: Name("time")) ?? ""
            fields = []
            for name in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue })
            where name.stringValue != "time" {
                if let value = try? container.decode(String.self, forKey: name) {
                    fields.append(Field(name.stringValue, value))
                } else if let values = try? container.decode([String].self, forKey: name) {
                    fields += values.map { Field(name.stringValue, $0) }
                }
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            try container.encode(time, forKey: Name("time"))
            var values: [String: [String]] = [:]
            for field in fields where field.name != "time" { values[field.name, default: []].append(field.value) }
            for (name, all) in values {
                if all.count == 1 {
                    try container.encode(all[0], forKey: Name(name))
                } else {
                    try container.encode(all, forKey: Name(name))
                }
            }
        }
    }

    package struct EvidenceDocument: Codable, Sendable, Equatable {
        package var source: String
        package var file: String?
        package var inode: UInt64?
        package var offset: UInt64?
        package var line: UInt64?
        package var place: String?
        package var raw: String
        package var sha256: String
    }

    /// How it is known that `src_ip` acted.
    package struct Proof: Codable, Sendable, Equatable {
        package var origin: String
        package var confidence: String
    }

    package struct Process: Codable, Sendable, Equatable {
        package var pid: Int
        package var exe: String?
        package var cmdline: String?
        package var unit: String?
        package var uid: Int?
    }

    package struct Container: Codable, Sendable, Equatable {
        package var id: String
        package var name: String
        package var image: String
        package var proof: String
    }

    package struct Member: Codable, Sendable, Equatable {
        package var time: String
        package var file: String?
        package var offset: UInt64?
    }
}

extension AlertDocument {
    package init(_ alert: Alert) {
        id = alert.id.description
        time = alert.time.rfc3339
        severity = alert.severity.rawValue
        title = alert.title
        description = alert.description
        source = alert.source
        rule = Rule(
            id: alert.rule.id, title: alert.rule.title, author: alert.rule.author, level: alert.rule.level,
            tags: alert.rule.tags, references: alert.rule.references, license: alert.rule.license
        )
        node = alert.node
        event = Event(time: alert.event.time.rfc3339, fields: alert.event.fields)
        evidence = EvidenceDocument(
            source: alert.evidence.source, file: alert.evidence.file, inode: alert.evidence.inode,
            offset: alert.evidence.offset, line: alert.evidence.line, place: alert.evidence.place,
            raw: alert.evidence.raw, sha256: alert.evidence.sha256
        )
        group = Dictionary(alert.group.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        count = alert.count
        firstSeen = alert.firstSeen.rfc3339
        lastSeen = alert.lastSeen.rfc3339
        status = alert.status.rawValue
        srcIP = alert.srcIP
        dstIP = alert.dstIP
        srcIPProof = alert.srcIPProof.map {
            Proof(origin: $0.origin.rawValue, confidence: $0.confidence.rawValue)
        }
        process = alert.process.map {
            Process(pid: $0.pid, exe: $0.exe, cmdline: $0.cmdline, unit: $0.unit, uid: $0.uid)
        }
        container = alert.container.map {
            Container(id: $0.id, name: $0.name, image: $0.image, proof: $0.proof)
        }
        traceID = alert.traceID
        generation = alert.generation
        labels = alert.labels
        members =
            alert.members.isEmpty
            ? nil
            : alert.members.map { Member(time: $0.time.rfc3339, file: $0.file, offset: $0.offset) }
    }

    /// The alert again; `nil` where a required value is malformed, as in a store that somebody edited. Times keep
    /// milliseconds, fields their names but not their order.
    package func alert() -> Alert? {
        guard let id = UUIDv7(id), let time = Timestamp(rfc3339: time), let severity = Severity(rawValue: severity),
            let eventTime = Timestamp(rfc3339: event.time), let first = Timestamp(rfc3339: firstSeen),
            let last = Timestamp(rfc3339: lastSeen), let status = Alert.Status(rawValue: status)
        else { return nil }
        return Alert(
            id: id, time: time, severity: severity, title: title, description: description, source: source,
            rule: RuleReference(
                id: rule.id, title: rule.title, author: rule.author, level: rule.level, tags: rule.tags,
                references: rule.references, license: rule.license
            ),
            node: node, event: EventRecord(time: eventTime, fields: event.fields),
            evidence: Evidence(
                source: evidence.source, file: evidence.file, inode: evidence.inode, offset: evidence.offset,
                line: evidence.line, place: evidence.place, raw: evidence.raw, sha256: evidence.sha256
            ),
            group: group.map { Field($0.key, $0.value) }.sorted { $0.name < $1.name }, count: count,
            firstSeen: first, lastSeen: last, status: status, srcIP: srcIP, dstIP: dstIP,
            srcIPProof: srcIPProof?.proof,
            process: process.map {
                ProcessReference(pid: $0.pid, exe: $0.exe, cmdline: $0.cmdline, unit: $0.unit, uid: $0.uid)
            },
            container: container.map {
                ContainerReference(id: $0.id, name: $0.name, image: $0.image, proof: $0.proof)
            },
            traceID: traceID, generation: generation, labels: labels,
            members: (members ?? []).compactMap { member in
                Timestamp(rfc3339: member.time).map {
                    CorrelationMember(time: $0, file: member.file, offset: member.offset)
                }
            }
        )
    }
}

extension AlertDocument.Proof {
    /// `nil` when a word is unknown: a proof that cannot be read proves nothing.
    package var proof: AddressProof? {
        guard let origin = AddressProof.Origin(rawValue: origin),
            let confidence = AddressProof.Confidence(rawValue: confidence)
        else { return nil }
        return AddressProof(origin: origin, confidence: confidence)
    }
}

/// `{"alerts": […], "total": n}`, newest first.
package struct AlertListDocument: Codable, Sendable {
    package var alerts: [AlertDocument]
    package var total: Int

    package init(alerts: [AlertDocument], total: Int) {
        self.alerts = alerts
        self.total = total
    }
}
