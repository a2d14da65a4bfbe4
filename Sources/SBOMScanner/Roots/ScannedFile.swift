/// A file that a cataloger read, or could not.
package struct ScannedFile: Sendable {
    /// From the scanned root.
    package var path: String
    package var cataloger: String
    package var catalog: Catalog
    /// Why nothing, or not all, was understood.
    package var fault: String?
    /// Nanoseconds since 1970.
    package var modified: Int64

    package init(path: String, cataloger: String, catalog: Catalog, fault: String?, modified: Int64) {
        self.path = path
        self.cataloger = cataloger
        self.catalog = catalog
        self.fault = fault
        self.modified = modified
    }
}

/// What one root holds.
package struct RootScan: Sendable {
    /// As it was asked for.
    package var root: String
    /// Sorted by path.
    package var files: [ScannedFile]
    /// Files and directories that were seen.
    package var entriesSeen: Int
    /// What was left out because of a bound or an error, by reason.
    package var leftOut: [String: Int]
    package var isImage: Bool
    /// Nothing is other than in the walk before.
    package var isUnchanged = false

    package init(
        root: String, files: [ScannedFile] = [], entriesSeen: Int = 0, leftOut: [String: Int] = [:],
        isImage: Bool = false
    ) {
        self.root = root
        self.files = files
        self.entriesSeen = entriesSeen
        self.leftOut = leftOut
        self.isImage = isImage
    }
}

/// How far a scan goes.
package struct ScanLimits: Sendable {
    package var entriesMax: Int
    /// Directories inside each other.
    package var depthMax: Int
    /// Bytes of an archive's files that are kept for catalogers at once.
    package var archiveBytesMax: Int
    /// What an archive may unpack to.
    package var unpackedBytesMax: Int
    /// Packages of all files of a tree.
    package var packagesMax: Int

    package init(
        entriesMax: Int = 20_000_000, depthMax: Int = 200, archiveBytesMax: Int = 1 << 30,
        unpackedBytesMax: Int = 64 << 30, packagesMax: Int = 4_000_000
    ) {
        self.entriesMax = entriesMax
        self.depthMax = depthMax
        self.archiveBytesMax = archiveBytesMax
        self.unpackedBytesMax = unpackedBytesMax
        self.packagesMax = packagesMax
    }
}
