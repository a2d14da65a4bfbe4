internal import Glibc

/// Catalogs an archive without unpacking it to disk: a root file system as tar, `docker save`, or an OCI layout as tar.
/// Layers are applied in order, with what they delete.
package struct ArchiveScan {
    /// Files that catalogers read, at the state of the last layer.
    private final class Contents {
        var files: [String: (bytes: [UInt8], modified: Int)] = [:]
        var programs: [String: [ScannedFile]] = [:]
        var keptBytes = 0
        var entries = 0
        var leftOut: [String: Int] = [:]

        func remove(_ path: String) {
            let below = path + "/"
            files = files.filter { $0.key != path && !$0.key.hasPrefix(below) }
            programs = programs.filter { $0.key != path && !$0.key.hasPrefix(below) }
        }

        func removeAll(below directory: String) {
            let below = directory.isEmpty ? "" : directory + "/"
            files = files.filter { !$0.key.hasPrefix(below) }
            programs = programs.filter { !$0.key.hasPrefix(below) }
        }
    }

    private struct Blob {
        var offset: Int
        var size: Int
    }

    private let path: String
    private let selection: Selection
    private let limits: ScanLimits

    private static let pieceBytes = 4 << 20
    private static let manifestBytesMax = 4 << 20
    /// A program is looked at whole, but not kept.
    private static let programBytesMax = 512 << 20
    private static let layersMax = 1024

    package init(_ path: String, catalogers: [any Cataloger] = Catalogers.all, limits: ScanLimits = ScanLimits()) {
        self.path = path
        selection = Selection(catalogers)
        self.limits = limits
    }

    /// Whether a file looks like a tar archive, packed or not.
    package static func isArchive(_ path: String) -> Bool {
        let name = path.lowercased()
        guard let bytes = head(path, count: TarReader.blockBytes) else { return false }
        if TarReader.isHeader(bytes) { return true }
        if ZstdStream.isZstd(bytes) { return name.hasSuffix(".tar.zst") || name.hasSuffix(".tzst") }
        return bytes.starts(with: [0x1F, 0x8B]) && [".tar.gz", ".tgz", ".tar"].contains { name.hasSuffix($0) }
    }

    private static func head(_ path: String, count: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        let file = OpenFile(descriptor: descriptor)
        do { return try file.read(at: 0, count: count) } catch { return nil }
    }

    package func run() throws(ReadFault) -> RootScan {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw ReadFault(SystemError.text) }
        let file = OpenFile(descriptor: descriptor)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, FileStamp(status).isRegular else { throw ReadFault("not a file") }
        let whole = Blob(offset: 0, size: Int(status.st_size))
        let contents = Contents()
        var isImage = false
        if let layers = try layers(file, whole) {
            isImage = true
            guard layers.count <= Self.layersMax else { throw ReadFault("more than \(Self.layersMax) layers") }
            for layer in layers { try apply(file, layer, to: contents) }
        } else {
            try apply(file, whole, to: contents)
        }
        return catalog(contents, isImage: isImage)
    }

    // MARK: - Images

    /// The layers of an image, lowest first; `nil` for an archive that is none.
    private func layers(_ file: OpenFile, _ whole: Blob) throws(ReadFault) -> [Blob]? {
        let head = try file.read(at: 0, count: 4)
        // An image's parts are found by their place, which a packed archive does not have.
        guard !head.starts(with: [0x1F, 0x8B]), !ZstdStream.isZstd(head) else { return nil }
        var blobs: [String: Blob] = [:]
        var offset = 0
        var longPath: String?
        while offset + TarReader.blockBytes <= whole.size, blobs.count <= limits.entriesMax {
            // Only headers are read here; contents are jumped over.
            var found: (path: String, size: Int)?
            let block = try file.read(at: offset, count: TarReader.blockBytes)
            guard TarReader.isHeader(block) else { break }
            var probe = TarReader(
                entriesMax: 1,
                wants: {
                    found = ($0.path, $0.size); return false
                }, take: { _, _ in })
            try probe.feed(block[...])
            let size = TarReader.size(block)
            offset += TarReader.blockBytes
            if block[156] == 0x4C, size <= 4096 {
                longPath = try file.read(at: offset, count: size).prefix { $0 != 0 }.text
            } else if let found {
                if let path = TarReader.plain(longPath ?? found.path) { blobs[path] = Blob(offset: offset, size: size) }
                longPath = nil
            }
            offset += (size + TarReader.blockBytes - 1) / TarReader.blockBytes * TarReader.blockBytes
        }
        func json(_ path: String) throws(ReadFault) -> Tree.Value? {
            guard let blob = blobs[path], blob.size <= Self.manifestBytesMax else { return nil }
            return try JSONReader.read(file.read(at: blob.offset, count: blob.size)).root
        }
        if let manifest = try json("manifest.json"), manifest.isArray, let image = manifest.children.map({ $0 }).first {
            var layers: [Blob] = []
            for layer in image["Layers"]?.children ?? Tree.Children(tree: manifest.tree, next: 0) {
                guard let name = layer.string, let blob = blobs[name] else {
                    throw ReadFault("a layer of the image is missing")
                }
                layers.append(blob)
            }
            return layers
        }
        guard blobs["oci-layout"] != nil, let index = try json("index.json") else { return nil }
        var document = index
        // An index may name indexes; the first manifest is taken.
        for _ in 0..<4 {
            if let layers = document["layers"], layers.isArray {
                var found: [Blob] = []
                for layer in layers.children {
                    guard let blob = blobs[Self.blobPath(layer)] else {
                        throw ReadFault("a layer of the image is missing")
                    }
                    found.append(blob)
                }
                return found
            }
            guard let first = document["manifests"]?.children.map({ $0 }).first,
                let next = try json(Self.blobPath(first))
            else {
                throw ReadFault("the image has no manifest")
            }
            document = next
        }
        throw ReadFault("the image has no manifest")
    }

    private static func blobPath(_ descriptor: Tree.Value) -> String {
        "blobs/" + (descriptor["digest"]?.string ?? "").split(separator: ":").joined(separator: "/")
    }

    // MARK: - Layers

    private func apply(_ file: OpenFile, _ blob: Blob, to contents: Contents) throws(ReadFault) {
        // What this layer deletes concerns only those below it.
        var added: Set<String> = []
        var tar = TarReader(
            entriesMax: limits.entriesMax,
            wants: { [selection, limits] entry in
                let (directory, name) = Self.split(entry.path)
                if name.hasPrefix(".wh.") {
                    let gone = name == ".wh..wh..opq" ? nil : String(name.dropFirst(4))
                    let kept = contents.files.filter { added.contains($0.key) }
                    if let gone {
                        contents.remove(directory.isEmpty ? gone : directory + "/" + gone)
                    } else {
                        contents.removeAll(below: directory)
                    }
                    contents.files.merge(kept) { $1 }
                    return false
                }
                // Whatever stood here in a layer below is gone.
                if contents.files.removeValue(forKey: entry.path) == nil { contents.programs[entry.path] = nil }
                guard !Selection.isForeign(directory: directory, name: name) else { return false }
                if Self.isRelease(entry.path) { return entry.size <= 1 << 20 }
                if !selection.catalogers(directory: directory, name: name).isEmpty {
                    guard entry.size <= SourceFile.bytesMax, contents.keptBytes + entry.size <= limits.archiveBytesMax
                    else {
                        contents.leftOut["larger than what is kept of an archive", default: 0] += 1
                        return false
                    }
                    return true
                }
                return Selection.mayBeProgram(name, mode: entry.mode) && entry.size <= Self.programBytesMax
            },
            take: { [selection] (entry, bytes) throws(ReadFault) in
                let (directory, name) = Self.split(entry.path)
                let chosen = selection.catalogers(directory: directory, name: name)
                if chosen.isEmpty, !Self.isRelease(entry.path) {
                    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return }
                    let source = SourceFile(path: entry.path, bytes: bytes)
                    contents.programs[entry.path] = Cataloging.run(
                        source, nil, selection, modified: Int64(entry.modified) &* 1_000_000_000
                    )
                } else {
                    added.insert(entry.path)
                    contents.keptBytes += bytes.count
                    contents.files[entry.path] = (bytes, entry.modified)
                }
            }
        )
        var made = 0
        let head = try file.read(at: blob.offset, count: 4)
        let isZstd = ZstdStream.isZstd(head)
        let isPacked = head.starts(with: [0x1F, 0x8B])
        var stream = InflateStream(.automatic)
        var zstd = isZstd ? ZstdStream() : nil
        func take(_ unpacked: ArraySlice<UInt8>) throws(ReadFault) {
            made += unpacked.count
            guard made <= limits.unpackedBytesMax else {
                throw ReadFault("unpacks to more than \(limits.unpackedBytesMax) bytes")
            }
            try tar.feed(unpacked)
        }
        var offset = blob.offset
        while offset < blob.offset + blob.size, !tar.isFinished {
            let piece = try file.read(at: offset, count: min(Self.pieceBytes, blob.offset + blob.size - offset))
            guard !piece.isEmpty else { throw ReadFault("the archive is cut off") }
            offset += piece.count
            if isZstd {
                try zstd?.feed(piece[...], take)
            } else if isPacked {
                try stream.feed(piece[...], take)
            } else {
                try tar.feed(piece[...])
            }
        }
        // What is behind the end of the tar archive does not matter.
        if isZstd, !tar.isFinished, zstd?.isFinished == false {
            contents.leftOut["the rest of an archive that is cut off", default: 0] += 1
        }
        contents.entries += tar.entries
        if tar.isInsideEntry { contents.leftOut["the rest of an archive that is cut off", default: 0] += 1 }
        if tar.refused > 0 { contents.leftOut["a name that leads out of the archive", default: 0] += tar.refused }
    }

    private static func isRelease(_ path: String) -> Bool { path == "etc/os-release" || path == "usr/lib/os-release" }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    private func catalog(_ contents: Contents, isImage: Bool) -> RootScan {
        var result = RootScan(root: path, entriesSeen: contents.entries, leftOut: contents.leftOut, isImage: isImage)
        let neighbours = contents.files.mapValues(\.bytes)
        for (path, file) in contents.files {
            let (directory, name) = Self.split(path)
            let chosen = selection.catalogers(directory: directory, name: name)
            guard !chosen.isEmpty else { continue }
            let source = SourceFile(path: path, bytes: file.bytes, neighbours: neighbours)
            result.files += Cataloging.run(source, chosen, selection, modified: Int64(file.modified) &* 1_000_000_000)
        }
        result.files += contents.programs.values.joined()
        result.files.sort { ($0.path, $0.cataloger) < ($1.path, $1.cataloger) }
        return result
    }
}
