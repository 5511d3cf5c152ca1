/* -d: the process goes to the background, and the command that started it ends only when it serves, or has failed. */
#ifndef WEIR_PROXY_DAEMONISE_H
#define WEIR_PROXY_DAEMONISE_H

/* Forks. In the command's process it never returns: it waits, and exits with what daemonise_report() is told, or 1 when
 * the other ends without a word. In the new process, leader of a session of its own and at home in /, it returns a
 * descriptor for daemonise_report(). -1 with errno when there is no new process. Before any thread is started. */
int daemonise_begin(void);

/* Lets the command end with that exit code and closes the descriptor. After 0, standard input, output and error lead to
 * /dev/null. A descriptor of -1 does nothing. */
void daemonise_report(int *fd, int exit_code);

#endif
