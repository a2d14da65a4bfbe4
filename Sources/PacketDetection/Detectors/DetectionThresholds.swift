/// When a detector speaks. Every number is a configuration key; docs/detection.md says what they mean together.
package struct DetectionThresholds: Sendable, Equatable {
    package struct PortScan: Sendable, Equatable {
        package var isEnabled: Bool
        /// Different (host, port) targets of one source within the window.
        package var targets: Int
        package var window: Duration

        package init(isEnabled: Bool = true, targets: Int = 15, window: Duration = .seconds(60)) {
            self.isEnabled = isEnabled
            self.targets = targets
            self.window = window
        }
    }

    package struct Flood: Sendable, Equatable {
        package var isEnabled: Bool
        /// Packets to one destination within the window.
        package var packets: Int
        package var window: Duration

        package init(isEnabled: Bool = true, packets: Int, window: Duration) {
            self.isEnabled = isEnabled
            self.packets = packets
            self.window = window
        }
    }

    package var portScan: PortScan
    /// Connections that were asked for and not completed; also SYN-ACKs that nobody asked for.
    package var synFlood: Flood
    /// Datagrams to a port; to one where a socket waits only if they come from many sources.
    package var udpFlood: Flood

    package init(
        portScan: PortScan = PortScan(), synFlood: Flood = Flood(packets: 500, window: .seconds(5)),
        udpFlood: Flood = Flood(packets: 100_000, window: .seconds(5))
    ) {
        self.portScan = portScan
        self.synFlood = synFlood
        self.udpFlood = udpFlood
    }
}
