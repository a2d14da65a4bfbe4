internal import CLinux
internal import Glibc

/// Scans whatever a path names: a directory or root file system, an archive or image, or a single file.
package enum Scanner {
    /// Nobody waits longer for a command than it takes; a daemon looks with one thread.
    package static let threadsMax = min(8, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))

    /// For a process that scans and ends: what is freed is used again without asking the kernel for it.
    package static func keepFreedMemory() { ip_keep_freed_memory(32 << 20) }

    /// - Parameter progress: called now and then with the path and the number of entries seen.
    /// - Throws: when the path cannot be read at all.
    package static func scan(
        _ path: String, limits: ScanLimits = ScanLimits(), progress: ((String, Int) -> Void)? = nil
    ) throws(ReadFault) -> RootScan {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw ReadFault(SystemError.text) }
        let stamp = FileStamp(status)
        if stamp.isDirectory {
            let scan = DirectoryScan(path, limits: limits, threads: threadsMax)
            if let progress { scan.progress = { progress(path, $0) } }
            return try scan.run()
        }
        guard stamp.isRegular else { throw ReadFault("neither a directory nor a file") }
        if let file = try single(path, stamp) { return file }
        guard ArchiveScan.isArchive(path) else {
            throw ReadFault("no cataloger reads this file, and it is no archive")
        }
        return try ArchiveScan(path, limits: limits).run()
    }

    /// One file, by its name.
    private static func single(_ path: String, _ stamp: FileStamp) throws(ReadFault) -> RootScan? {
        let absolute = path.hasPrefix("/") ? path : currentDirectory + "/" + path
        guard let slash = absolute.utf8.lastIndex(of: 0x2F) else { return nil }
        let directory = absolute[..<slash].drop { $0 == "/" }.description
        let name = String(absolute[absolute.index(after: slash)...])
        let selection = Selection()
        var chosen: [Int]? = selection.catalogers(directory: directory, name: name)
        if chosen?.isEmpty == true {
            guard Selection.mayBeProgram(name, mode: stamp.mode) else { return nil }
            chosen = nil
        }
        let root = try RootDirectory(absolute[..<slash].isEmpty ? "/" : String(absolute[..<slash]))
        guard let (file, opened) = RootDirectory.openRegular(in: root.directory, name) else {
            throw ReadFault(SystemError.text)
        }
        let source = root.source(name, file, opened)
        var files = Cataloging.run(source, chosen, selection, modified: opened.modified)
        if chosen == nil, files.isEmpty { return nil }
        for index in files.indices { files[index].path = "" }
        return RootScan(root: path, files: files, entriesSeen: 1)
    }

    private static var currentDirectory: String {
        guard let buffer = unsafe getcwd(nil, 0) else { return "" }
        defer { unsafe free(buffer) }
        return unsafe String(cString: buffer)
    }
}
