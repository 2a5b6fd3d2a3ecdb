import Core

/// `consul validate`. Spec: config §13.
struct Validate: Command {
    let name = "validate"
    let synopsis = "Checks configuration files"
    let usage = """
        Usage: consul validate [options] FILE_OR_DIRECTORY...

          Checks configuration files without starting an agent. They must be complete:
          data_dir is needed too.
        """
    let flags = [
        Flag("config-format", .string, "Format of all files, whatever their extension: hcl or json."),
        Flag("quiet", .bool, "Prints nothing if the configuration is valid."),
    ]
    let flagErrorPrefix: String? = ""

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let formatName = arguments.string("config-format")
        if !["", "hcl", "json"].contains(formatName) { return context.fail("-config-format must be either 'hcl' or 'json") }
        if arguments.positional.isEmpty { return context.fail("Must specify at least one config file or directory") }
        do {
            let files = try ConfigFiles(arguments.positional, formatName: formatName)
            let configuration = try ConfigBuilder.build(
                files: files.sources, environment: SystemFacts.environment(context.console), warnings: files.warnings)
            if arguments.isSet("quiet") { return 0 }
            for warning in configuration.warnings { context.console.error(warning) }
            context.output("Configuration is valid!")
            return 0
        } catch {
            return context.fail("Config validation failed: \(error.text)")
        }
    }
}
