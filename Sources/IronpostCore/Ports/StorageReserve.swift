/// Room on the database's disk that is kept for the worst moment: given back piece by piece when the disk is full, so
/// that alerts that matter can still be stored, and taken again once there is room.
package protocol StorageReserve: Sendable {
    /// Gives back the next piece; `false` when nothing is left.
    func release() -> Bool
    /// Takes back what was given; `false` while the disk has no room for it.
    func restore() -> Bool
    var level: ReserveLevel { get }
}

/// For a store that has no disk to run out of.
package struct NoReserve: StorageReserve {
    package init() {}
    package func release() -> Bool { false }
    package func restore() -> Bool { true }
    package var level: ReserveLevel { ReserveLevel(bytesWanted: 0, bytesHeld: 0) }
}

/// How much of a reserve is there.
package struct ReserveLevel: Sendable, Hashable {
    /// 0 on a disk that is too small for one.
    package var bytesWanted: Int
    package var bytesHeld: Int

    package init(bytesWanted: Int, bytesHeld: Int) {
        self.bytesWanted = bytesWanted
        self.bytesHeld = bytesHeld
    }

    package var isWhole: Bool { bytesHeld >= bytesWanted }
}

/// What happens on a full disk to alerts below high that come from files or the journal, once no more of them can be
/// held in memory. Those of sources that cannot be read again are shed then in any case.
package enum FullDiskPolicy: String, Sendable, CaseIterable {
    /// They are counted as dropped (`disk_full`); detection goes on, and high and critical alerts are still stored.
    case shed
    /// Reading stops until there is room: none is lost, but nothing behind them is detected either.
    case wait
}
