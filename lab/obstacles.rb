require "ipaddr"

# What on the host keeps a provider other than lxc from making the lab's machines, each with its remedy.
module QuartetLab
  module_function

  # The remedies for a provider; empty if nothing is in the way. `networks`: the text of VirtualBox's list of allowed networks.
  def obstacles(provider, bridge: File.exist?("/sys/class/net/quartet0"), networks: virtualbox_networks)
    found = []
    if bridge
      found << "the bridge quartet0 of the lxc lab has the addresses of the machines: remove that lab with `make lab-down`"
    end
    # https://www.virtualbox.org/manual/ch06.html#network_hostonly: without this file only 192.168.56.0/21 is allowed
    if provider == :virtualbox && allowed(networks).none? { |network| network.include?("10.77.0.11") }
      found << "VirtualBox refuses the machines' addresses: put the line `* 10.77.0.0/24` into /etc/vbox/networks.conf"
    end
    found
  end

  # Lines such as `* 10.0.0.0/8 192.168.0.0/16`
  def allowed(networks)
    networks.lines.grep(/^\s*\*/).flat_map { |line| line.split.drop(1) }.filter_map { |word| IPAddr.new(word) rescue nil }
  end

  def virtualbox_networks
    File.read("/etc/vbox/networks.conf")
  rescue Errno::ENOENT
    ""
  end
end
