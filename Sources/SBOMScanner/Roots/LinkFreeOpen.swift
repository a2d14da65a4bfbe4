internal import CLinux

/// Opens below a directory without following any symbolic link, in one call where the kernel can (openat2, 5.6).
enum LinkFreeOpen {
    /// - Returns: a descriptor, or -1.
    static func directory(_ root: Int32, _ path: String) -> Int32 {
        unsafe ip_open_beneath(root, path)
    }
}
