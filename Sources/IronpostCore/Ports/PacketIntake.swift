/// Where the packet engine's events are tried against rules.
package protocol PacketIntake: Sendable {
    /// Takes lines of `LineFormat.packet`, each with its line feed. Never waits.
    /// - Returns: false when there is no room now; nothing was taken then.
    func offer(packets lines: [UInt8], count: Int, at time: Timestamp) -> Bool
}
