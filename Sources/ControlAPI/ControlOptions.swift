package import IronpostCore

/// What the control side listens on and how it presents itself.
package struct ControlOptions: Sendable {
    package struct Listen: Sendable, Hashable {
        package var host: String
        /// 0 takes any free port.
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    package var socketPath: String
    /// The group whose members are operators; `nil` leaves the daemon's own group.
    package var socketGroup: String?
    /// `nil` serves the control socket alone.
    package var listen: Listen?
    /// Holds the bearer token of the TCP side; made at first start.
    package var tokenFile: String
    package var nodeName: String
    package var version: String
    package var bounds: ControlBounds

    package init(
        socketPath: String, socketGroup: String? = nil, listen: Listen?, tokenFile: String, nodeName: String,
        version: String, bounds: ControlBounds = ControlBounds()
    ) {
        self.socketPath = socketPath
        self.socketGroup = socketGroup
        self.listen = listen
        self.tokenFile = tokenFile
        self.nodeName = nodeName
        self.version = version
        self.bounds = bounds
    }
}

/// What one client, or all of them together, may take.
package struct ControlBounds: Sendable {
    /// Open connections of the control socket, and again of the TCP side; one more is closed at once.
    package var connectionsMax = 128
    package var bodyBytesMax = 1 << 20
    package var headerBytesMax = 16 << 10
    package var headersMax = 64
    /// A connection without a request, or with one that does not arrive, is closed after this.
    package var idleTimeout = Duration.seconds(30)
    /// A request's body has to be there by then.
    package var bodyTimeout = Duration.seconds(10)
    /// A client that takes nothing of its answer for this long is let go.
    package var stallTimeout = Duration.seconds(60)
    /// A stream with nothing to say says that it is alive.
    package var heartbeat = Duration.seconds(10)

    package init() {}
}

/// What the control side shows and steers, each by its port.
package struct ControlPorts: Sendable {
    package var status: any StatusSource
    package var alerts: any AlertStore
    package var triage: any AlertTriage
    package var actions: any ActionLog
    package var rules: any RuleCatalog
    package var demonstration: any Demonstration
    package var daemon: any DaemonControl
    package var alertFeed: Feed<Alert>
    package var eventFeed: Feed<TappedEvent>
    /// What is known of packages; `nil` in a daemon that does not look at them.
    package var findings: (any FindingStore)?
    package var inventories: (any InventoryView)?
    /// What is done about alerts; `nil` in a daemon that has none of it.
    package var response: ResponsePorts?
    /// Figures beside those that everything has.
    package var metrics: [any MetricSource]
    package var containers: any ContainerDirectory
    package var isolation: any ContainerIsolationControl

    package init(
        status: any StatusSource, alerts: any AlertStore, triage: any AlertTriage, actions: any ActionLog,
        rules: any RuleCatalog, demonstration: any Demonstration, daemon: any DaemonControl,
        alertFeed: Feed<Alert>, eventFeed: Feed<TappedEvent>, response: ResponsePorts? = nil,
        metrics: [any MetricSource] = [],
        containers: any ContainerDirectory = NoContainers(),
        isolation: any ContainerIsolationControl = NoContainers()
    ) {
        self.status = status
        self.alerts = alerts
        self.triage = triage
        self.actions = actions
        self.rules = rules
        self.demonstration = demonstration
        self.daemon = daemon
        self.alertFeed = alertFeed
        self.eventFeed = eventFeed
        self.response = response
        self.metrics = metrics
        self.containers = containers
        self.isolation = isolation
    }
}

/// What the control side shows and steers of the response.
package struct ResponsePorts: Sendable {
    package var control: any ResponseControl
    package var store: any DecisionStore & ActionView
    package var silences: any Silencing
    package var noise: any NoiseReport
    /// Addresses that the configuration allows.
    package var configured: @Sendable () -> [IPNetwork]
    package var boot: String

    package init(
        control: any ResponseControl, store: any DecisionStore & ActionView, silences: any Silencing,
        noise: any NoiseReport, configured: @escaping @Sendable () -> [IPNetwork], boot: String
    ) {
        self.control = control
        self.store = store
        self.silences = silences
        self.noise = noise
        self.configured = configured
        self.boot = boot
    }
}
