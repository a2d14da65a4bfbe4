import IronpostCore

/// Where the daemon listens.
enum ControlSocket {
    /// The option, else the configuration's `general.control_socket`, else the default.
    static func path(_ options: GlobalOptions) throws(CommandFailure) -> String {
        if let socket = options.socket { return socket }
        return try ConfigurationLookup.load(options).configuration.controlSocket
    }
}
