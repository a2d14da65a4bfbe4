import CLinux
import Glibc

/// Whom the core becomes.
struct Account: Sendable, Equatable {
    /// Taken when it exists and `general.user` names nobody.
    static let defaultName = "ironpost"
    static let groupsMax = 32
    /// Groups that may read logs on Debian and its like.
    private static let logGroupNames = ["adm", "systemd-journal"]

    var name: String
    var user: UInt32
    var group: UInt32
    /// With those that may read logs.
    var groups: [UInt32]

    static func find(_ name: String) -> Account? {
        guard let entry = unsafe getpwnam(name) else { return nil }
        let (user, group) = unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
        guard user != 0 else { return nil }
        var groups = [gid_t](repeating: 0, count: groupsMax)
        var count = Int32(groupsMax)
        let found = unsafe getgrouplist(name, group, &groups, &count)
        let own = found >= 0 ? groups.prefix(Int(count)).map { UInt32($0) } : [group]
        return Account(name: name, user: user, group: group, groups: own + logGroups.filter { !own.contains($0) })
    }

    static var logGroups: [UInt32] {
        logGroupNames.compactMap { name in
            guard let entry = unsafe getgrnam(name) else { return nil }
            return unsafe entry.pointee.gr_gid
        }
    }

    /// Whether it may go through, or read, something with this owner and mode.
    func may(_ bits: UInt32, _ file: ip_ownership) -> Bool {
        if file.uid == user { return file.mode >> 6 & bits == bits }
        if groups.contains(file.gid) || file.gid == group { return file.mode >> 3 & bits == bits }
        return file.mode & bits == bits
    }
}
