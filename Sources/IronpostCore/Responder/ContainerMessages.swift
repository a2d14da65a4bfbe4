/// How containers travel between responder and core.
extension ContainerRecord {
    package func write(to writer: inout MessageWriter) {
        writer.write(id.text)
        writer.write(name)
        writer.write(image)
        writer.write(imageDigest)
        writer.write(labels.sorted { $0.key < $1.key }) { writer, label in
            writer.write(label.key)
            writer.write(label.value)
        }
        writer.write(state.rawValue)
        writer.write(networks) { writer, network in
            writer.write(network.name)
            writer.write(network.id)
            writer.write(network.address4)
            writer.write(network.address6)
        }
        writer.write(networkMode)
        writer.write(pid)
        writer.write(pidStart)
        writer.write(cgroups) { writer, cgroup in
            writer.write(cgroup.hierarchy.rawValue)
            writer.write(cgroup.inode)
            writer.write(cgroup.path)
        }
        writer.write(networkNamespace)
        writer.write(sharesNetwork)
        writer.write(hostLinks) { $0.write($1) }
        writer.write(isPrivileged)
        writer.write(logDriver)
        writer.write(logPath)
        for time in [created, started, finished] { writer.write(time) { $0.write($1.nanoseconds) } }
        writer.write(isCut)
        writer.write(fault)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        self.init(id: try ContainerID(from: &reader))
        name = try reader.text()
        image = try reader.text()
        imageDigest = try reader.text()
        let pairs = try reader.list { (reader) throws(MessageFault) in (try reader.text(), try reader.text()) }
        labels = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
        guard let state = State(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("has an unknown state of a container")
        }
        self.state = state
        networks = try reader.list { (reader) throws(MessageFault) in
            Network(
                name: try reader.text(), id: try reader.text(), address4: try reader.text(),
                address6: try reader.text())
        }
        networkMode = try reader.text()
        pid = try reader.integer(Int32.self)
        pidStart = try reader.integer(UInt64.self)
        cgroups = try reader.list { (reader) throws(MessageFault) in
            guard let hierarchy = Cgroup.Hierarchy(rawValue: try reader.integer(UInt8.self)) else {
                throw MessageFault("has an unknown hierarchy of cgroups")
            }
            return Cgroup(hierarchy: hierarchy, inode: try reader.integer(UInt64.self), path: try reader.text())
        }
        networkNamespace = try reader.integer(UInt64.self)
        sharesNetwork = try reader.bool()
        hostLinks = try reader.list { (reader) throws(MessageFault) in try reader.integer(UInt32.self) }
        isPrivileged = try reader.bool()
        logDriver = try reader.text()
        logPath = try reader.text()
        func time(_ reader: inout MessageReader) throws(MessageFault) -> Timestamp? {
            try reader.optional { (reader) throws(MessageFault) in
                Timestamp(nanoseconds: try reader.integer(Int64.self))
            }
        }
        created = try time(&reader)
        started = try time(&reader)
        finished = try time(&reader)
        isCut = try reader.bool()
        fault = try reader.text()
    }
}

extension ContainerID {
    package init(from reader: inout MessageReader) throws(MessageFault) {
        guard let id = ContainerID(try reader.text(max: Self.digits)) else {
            throw MessageFault("has an id that is no container's")
        }
        self = id
    }
}

extension EngineState {
    package func write(to writer: inout MessageWriter) {
        writer.write(link.rawValue)
        writer.write(version)
        writer.write(socket)
        writer.write(reason)
        writer.write(UInt32(clamping: leftOut))
        writer.write(UInt32(clamping: reconnects))
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        guard let link = Link(rawValue: try reader.integer(UInt8.self)) else {
            throw MessageFault("has an unknown state of the engine")
        }
        self.init(
            link: link, version: try reader.text(), socket: try reader.text(), reason: try reader.text(),
            leftOut: Int(try reader.integer(UInt32.self)), reconnects: Int(try reader.integer(UInt32.self)))
    }
}

extension ContainerCursor {
    package func write(to writer: inout MessageWriter) {
        writer.write(epoch)
        writer.write(revision)
        writer.write(asOf)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        self.init(
            epoch: try reader.integer(UInt64.self), revision: try reader.integer(UInt64.self),
            asOf: try reader.integer(UInt64.self))
    }
}

extension ContainerChanges {
    /// What goes into one message beside the containers.
    package static let overheadBytesMax = 16 << 10

    package func write(to writer: inout MessageWriter) {
        cursor.write(to: &writer)
        writer.write(isReset)
        writer.write(records) { $1.write(to: &$0) }
        writer.write(removed) { $0.write($1.text) }
        writer.write(hasMore)
        engine.write(to: &writer)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        self.init(
            cursor: try ContainerCursor(from: &reader), isReset: try reader.bool(),
            records: try reader.list { (reader) throws(MessageFault) in try ContainerRecord(from: &reader) },
            removed: try reader.list { (reader) throws(MessageFault) in try ContainerID(from: &reader) },
            hasMore: try reader.bool(), engine: try EngineState(from: &reader))
    }
}
