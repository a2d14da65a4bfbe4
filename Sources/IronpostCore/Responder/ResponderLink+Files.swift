/// A file of the configuration's patterns, as the responder sees it.
package struct NamedLogFile: Sendable, Equatable {
    package var path: String
    package var device: UInt64
    package var inode: UInt64

    package init(path: String, device: UInt64, inode: UInt64) {
        self.path = path
        self.device = device
        self.inode = inode
    }
}

extension ResponderLink {
    /// Opens a log file that the configuration names, for reading. For a plain thread.
    /// - Throws: `refused` when no pattern names it, or it is not a regular file reached without symbolic links.
    package func openLogFile(
        _ path: String, timeout: Duration = .seconds(2)
    ) throws(ResponderError) -> OwnedDescriptor {
        let reply = try callBlocking(ResponderRequest(.openLogFile) { $0.write(path) }, timeout: timeout)
        guard reply.body.isEmpty, reply.descriptors.count == 1 else {
            throw .failed("the responder's answer has no descriptor")
        }
        return reply.descriptors[0]
    }

    /// The files that the configuration's patterns name now; also those in directories that the core may not list.
    package func listLogFiles(timeout: Duration = .seconds(2)) throws(ResponderError) -> [NamedLogFile] {
        try callBlocking(ResponderRequest(.listLogFiles), timeout: timeout).read { (reader) throws(MessageFault) in
            try reader.list { (reader) throws(MessageFault) in
                NamedLogFile(
                    path: try reader.text(), device: try reader.integer(UInt64.self),
                    inode: try reader.integer(UInt64.self)
                )
            }
        }
    }

    /// The journal files of the configured directory, opened for reading; asked for again and again until all came.
    package func openJournal(timeout: Duration = .seconds(5)) throws(ResponderError) -> [OwnedDescriptor] {
        var files: [OwnedDescriptor] = []
        while true {
            let request = ResponderRequest(.openJournal) { $0.write(UInt32(files.count)) }
            let reply = try callBlocking(request, timeout: timeout)
            let total = try reply.read { (reader) throws(MessageFault) in try reader.integer(UInt32.self) }
            files += reply.descriptors
            if reply.descriptors.isEmpty || files.count >= Int(total) { return files }
        }
    }
}
