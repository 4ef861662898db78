# What every machine of the lab and of molecule has in common, whatever the provider. Used by /Vagrantfile and
# molecule/shared/Vagrantfile.
require "fileutils"

module QuartetLab
  ROOT = File.expand_path("..", __dir__)
  STATE = ENV.fetch("QUARTET_LAB_STATE", File.join(ROOT, ".lab"))
  CACHE = IO.popen([File.join(ROOT, "roles/base/files/download_cache.sh")], &:read).chomp
  KEY = File.join(STATE, "id_ecdsa")
  # The public test key that boxes ship with; the access provisioner replaces it at the first boot.
  BOX_KEY = File.join(Gem::Specification.find_by_name("vagrant").full_gem_path, "keys", "vagrant")

  # Puts the lab's own key in the machine and the machine's host key in known_hosts, so that Ansible checks it strictly.
  class Access < Vagrant.plugin("2", :provisioner)
    def provision
      key = File.read("#{KEY}.pub").strip
      @machine.communicate.execute("printf '%s\\n' '#{key}' > ~/.ssh/authorized_keys && chmod 600 ~/.ssh/authorized_keys")
      host_key = +""
      @machine.communicate.execute("cat /etc/ssh/ssh_host_ed25519_key.pub") { |type, data| host_key << data if type == :stdout }
      remember(config.address, host_key.split[0, 2].join(" "))
    end

    # Several vagrant processes may run side by side (molecule scenarios): read, change and write under one lock.
    def remember(address, host_key)
      file = File.join(STATE, "known_hosts")
      File.open("#{file}.lock", File::RDWR | File::CREAT) do |lock|
        lock.flock(File::LOCK_EX)
        lines = File.exist?(file) ? File.readlines(file).reject { |line| line.start_with?("#{address} ") } : []
        File.write("#{file}.new", (lines + ["#{address} #{host_key}\n"]).join)
        File.rename("#{file}.new", file)
      end
    end
  end

  class AccessConfig < Vagrant.plugin("2", :config)
    attr_accessor :address
  end

  class Plugin < Vagrant.plugin("2")
    name "quartet"
    provisioner(:quartet_access) { Access }
    config(:quartet_access, :provisioner) { AccessConfig }
  end

  module_function

  # The lab's key pair. PEM, because that is what every version of Vagrant's ssh library reads.
  def ensure_key
    FileUtils.mkdir_p(STATE, mode: 0o700)
    File.open(File.join(STATE, ".lock"), File::RDWR | File::CREAT) do |lock|
      lock.flock(File::LOCK_EX)
      next if File.exist?(KEY)

      system("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-C", "quartet-lab", "-f", KEY) || raise("ssh-keygen failed")
    end
  end

  # One machine. `row`: name, address, cpus, memory (MiB) and, for lxc, container (its name on the host).
  def define(config, row)
    ensure_key
    config.vm.define row.fetch("name") do |node|
      node.vm.hostname = row.fetch("name")
      node.ssh.insert_key = false
      node.ssh.private_key_path = [KEY, BOX_KEY]
      node.vm.synced_folder ".", "/vagrant", disabled: true
      node.vm.boot_timeout = 180
      lxc(node, row)
      libvirt(node, row)
      virtualbox(node, row)
      node.vm.provision "access", type: "quartet_access", run: "always" do |access|
        access.address = row.fetch("address")
      end
      yield node if block_given?
    end
  end

  def lxc(node, row)
    node.vm.provider "lxc" do |lxc, override|
      override.vm.box = box
      override.vm.box_url = "file://#{CACHE}/box/#{box}.box"
      lxc.container_name = row.fetch("container")
      lxc.backingstore = "dir"
      lxc.ssh_ip_addr = row.fetch("address")
      lxc.tmpfs_mount_size = ""
      lxc.customize "net.0.type", "veth"
      lxc.customize "net.0.link", "quartet0"
      lxc.customize "net.0.flags", "up"
      lxc.customize "net.0.name", "eth0"
      lxc.customize "net.0.hwaddr", format("00:16:3e:77:00:%02x", row.fetch("address").split(".").last.to_i)
      limits(lxc, row)
      apt = File.join(CACHE, "apt", row.fetch("container"))
      lxc.customize "mount.entry", "#{fstab(CACHE)} #{CACHE_IN_GUEST} none bind,ro,create=dir,optional 0 0"
      lxc.customize "mount.entry", "#{fstab(apt)} var/cache/apt/archives none bind,create=dir,optional 0 0"
    end
  end

  # A path as fstab(5) writes it.
  def fstab(path)
    path.gsub(" ") { "\\040" }
  end

  CACHE_IN_GUEST = "var/cache/quartet".freeze
  CLOUD_BOX = ENV["QUARTET_DEBIAN"] == "13" ? "debian/trixie64" : "debian/bookworm64"

  # Memory is a real limit, so that what fits here fits a VM of that size. CPUs are shares: a lab has more of them than most hosts.
  def limits(lxc, row)
    bytes = row.fetch("memory") * 1024 * 1024
    if File.exist?("/sys/fs/cgroup/cgroup.controllers")
      lxc.customize "cgroup2.memory.max", bytes.to_s
    else
      lxc.customize "cgroup.memory.limit_in_bytes", bytes.to_s
    end
  end

  def libvirt(node, row)
    node.vm.provider "libvirt" do |libvirt, override|
      override.vm.box = ENV.fetch("QUARTET_BOX", CLOUD_BOX)
      override.vm.network "private_network", ip: row.fetch("address"), libvirt__network_name: "quartet"
      libvirt.cpus = row.fetch("cpus")
      libvirt.memory = row.fetch("memory")
    end
  end

  def virtualbox(node, row)
    node.vm.provider "virtualbox" do |virtualbox, override|
      override.vm.box = ENV.fetch("QUARTET_BOX", CLOUD_BOX)
      override.vm.network "private_network", ip: row.fetch("address")
      virtualbox.cpus = row.fetch("cpus")
      virtualbox.memory = row.fetch("memory")
    end
  end

  def box
    @box ||= IO.popen([File.join(ROOT, "lab", "box"), "name"], &:read).strip
  end
end
