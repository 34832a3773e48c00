// A harmless stand-in for a miner: it speaks stratum to the pool that its configuration file names and
// computes nothing. Usage: miner -c FILE, where FILE holds "ADDRESS PORT WALLET" in one line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char address[64], wallet[128], line[512];
	int port;

	if (argc != 3 || strcmp(argv[1], "-c") != 0)
		return 2;
	FILE *config = fopen(argv[2], "r");
	if (!config || fscanf(config, "%63s %d %127s", address, &port, wallet) != 3)
		return 2;
	fclose(config);

	struct sockaddr_in pool = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || inet_pton(AF_INET, address, &pool.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&pool, sizeof(pool)) != 0) {
		perror("connect");
		return 1;
	}
	int size = snprintf(line, sizeof(line),
			    "{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"login\",\"params\":{\"login\":\"%s\","
			    "\"pass\":\"x\",\"agent\":\"XMRig/6.21.0\",\"algo\":[\"rx/0\"]}}\n",
			    wallet);
	for (int id = 2; write(fd, line, size) == size; id++) {
		size = snprintf(line, sizeof(line),
				"{\"id\":%d,\"jsonrpc\":\"2.0\",\"method\":\"keepalived\",\"params\":{\"id\":\"1\"}}\n", id);
		usleep(100 * 1000);
	}
	return 0;
}
